"""What a client checks of a stream: its framing, and that every event came, once and in order."""

import re
from array import array
from collections import Counter

_MARK = re.compile(rb"#(\d{6})@(\d{19})#")
_COUNT = re.compile(rb'"(?:completion|output)_tokens":(\d+)')
_DONE = (b"data: [DONE]", b"event: message_stop")


class Malformed(ValueError):
    """The bytes are no chunked body."""


class Chunks:
    """A chunked body, cut as it comes."""

    def __init__(self) -> None:
        self._held = b""
        self.ended = False

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads of the chunks that are complete now. Raises Malformed."""
        if self._held:
            data = self._held + data
        found = []
        start = 0
        while (line := data.find(b"\r\n", start)) >= 0:
            try:
                size = int(data[start:line], 16)
            except ValueError:
                raise Malformed(f"a chunk's size is {data[start:line][:20]!r}") from None
            end = line + 2 + size
            if end + 2 > len(data):
                break
            if data[end : end + 2] != b"\r\n":
                raise Malformed("a chunk is longer than its size")
            start = end + 2
            if not size:
                self.ended = True
                break
            found.append(data[line + 2 : end])
        self._held = data[start:]
        if self.ended and self._held:
            raise Malformed("there is more after the last chunk")
        return found


class Events:
    """The numbered events of one stream. `lags` gets, for each, the ns from when it was sent to when it was here."""

    def __init__(self, lags: "array[int]") -> None:
        self._lags = lags
        self._chunks = Chunks()
        self._held = b""
        self._next = 0
        self._missing: set[int] = set()
        self._total: int | None = None
        self._done = False
        self.duplicated = 0
        self.reordered = 0

    @property
    def seen(self) -> int:
        return self._next - len(self._missing)

    def feed(self, data: bytes, now: int) -> bool:
        """Whether the stream has ended. `now` is in ns. Raises Malformed."""
        for payload in self._chunks.feed(data):
            text = self._held + payload if self._held else payload
            if text.endswith(b"\n\n"):
                self._held = b""
            else:
                end = text.rfind(b"\n\n") + 2 if b"\n\n" in text else 0
                text, self._held = text[:end], text[end:]
            for number, sent in _MARK.findall(text):
                self._count(int(number))
                self._lags.append(now - int(sent))
            if b'"usage":{' in text:
                self._usage(text)
            if any(done in text for done in _DONE):
                self._done = True
        return self._chunks.ended

    def _count(self, number: int) -> None:
        if number == self._next:
            self._next += 1
        elif number > self._next:
            self._missing.update(range(self._next, number))
            self._next = number + 1
        elif number in self._missing:
            self._missing.remove(number)
            self.reordered += 1
        else:
            self.duplicated += 1

    def _usage(self, text: bytes) -> None:
        if found := _COUNT.search(text):
            self._total = int(found[1])

    def faults(self) -> Counter[str]:
        """Of a stream that has ended: how many events were what."""
        lost = len(self._missing) + max(0, (self._total or 0) - self._next)
        return +Counter(
            {
                "lost": lost,
                "duplicated": self.duplicated,
                "reordered": self.reordered,
                "without usage": self._total is None,
                "without [DONE]": not self._done,
            }
        )
