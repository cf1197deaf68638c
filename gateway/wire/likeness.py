"""What the events of one stream have in common: nearly all differ in their text alone, and are known by the rest."""

import re

from gateway.wire.framing import size_line

# So many events in a row that were not like the one before: the stream's differ elsewhere too.
MAX_STRIKES = 8

_TEXT = re.compile(rb'("(?:content|reasoning_content|reasoning|arguments)"\s*:\s*")[^"\\]*"')
_is_text = re.compile(rb'[^"\r\n]*').fullmatch


class Likeness:
    """Learnt from a plain event: what came before its text, and after it.

    With another text in between it is plain again: text has no quote, so nothing in it is a member's name or its end.
    """

    __slots__ = ("_after", "_before", "_strikes")

    def __init__(self) -> None:
        self._before: bytes | None = None
        self._after = b""
        self._strikes = 0

    def learn(self, event: bytes) -> None:
        """`event` is a single one that `fits` did not know."""
        if self._strikes < MAX_STRIKES:
            self._strikes += 1
            if text := _TEXT.search(event):
                self._before, self._after = event[: text.end(1)], event[text.end() - 1 :] + b"\r\n"

    def forget(self) -> None:
        self._before = None

    def fits(self, data: bytes) -> bool:
        """Whether a read is one whole HTTP chunk with one such event."""
        before, after = self._before, self._after
        if before is None:
            return False
        line = size_line(data)
        start = len(line)
        if (
            data.startswith(line)
            and data.startswith(before, start)
            and data.endswith(after)
            and _is_text(data, start + len(before), len(data) - len(after)) is not None
        ):
            self._strikes = 0
            return True
        return False
