"""What a model's name asks of the simulator."""

import re
from dataclasses import dataclass

_SUFFIX = re.compile(r"-([0-9]{1,6})(tps|tok|ms)\Z")


@dataclass(frozen=True, slots=True)
class Pace:
    """`<anything>[-<N>tps][-<N>tok][-<N>ms]`, the suffixes in any order.

    * `tps`: tokens per second; 0 = as fast as the socket takes
    * `tok`: length of the answer in tokens, instead of the usual 40 or so
    * `ms`: delay before the first byte, in milliseconds

    So `sim-50tps-500tok-200ms` is a ten-second stream that begins after a fifth of a second. A plain answer comes
    when its last token would. `base` is the name without its suffixes; `delay` is in seconds.
    """

    base: str
    tokens_per_second: float = 0.0
    tokens: int | None = None
    delay: float | None = None

    @classmethod
    def of(cls, model: str, tokens_per_second: float = 0.0) -> "Pace":
        """The second is the pace of a name that asks for none."""
        found: dict[str, int] = {}
        while match := _SUFFIX.search(model):
            found.setdefault(match[2], int(match[1]))
            model = model[: match.start()]
        delay = found["ms"] / 1000 if "ms" in found else None
        return cls(model, found.get("tps", tokens_per_second), found.get("tok"), delay)

    def seconds(self, tokens: int) -> float:
        """How long so many tokens take."""
        return tokens / self.tokens_per_second if self.tokens_per_second else 0.0
