"""One chat completion chunk, as far as a stream's reading needs it."""

import msgspec

from gateway.wire.usage import NOTHING

# As many as may be asked for.
MAX_CHOICES = 128


class Choice(msgspec.Struct):
    index: object = 0
    finish_reason: object = None

    @property
    def bit(self) -> int:
        """Which of its stream's choices it is; one that does not say is the first."""
        return 1 << self.index if isinstance(self.index, int) and 0 <= self.index < MAX_CHOICES else 1


class Chunk(msgspec.Struct):
    choices: list[Choice] | None = None
    usage: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING


_decoder = msgspec.json.Decoder(Chunk)


def read_chunk(data: bytes) -> Chunk | None:
    """None for what is none."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, ValueError):
        return None
