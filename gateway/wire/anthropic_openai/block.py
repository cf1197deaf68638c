"""One content block of a streamed message, from its first piece to its end."""

import msgspec

from gateway.core.fault import ProtocolFault
from gateway.wire.events import Event, Json


def told(kind: str, index: int, **data: object) -> Event:
    return Event(kind, {"type": kind, "index": index, **data})


class Block:
    """What has come and was not told yet waits in it: until it is its turn, or its beginning is known."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.closed = False
        self._waiting: list[str] = []
        self._begun = False

    def add(self, piece: str) -> None:
        self._waiting.append(piece)

    @property
    def whole(self) -> bool:
        """Whether it may end here, if another one begins."""
        return True

    def tell(self, index: int) -> list[Event]:
        """What can be told now."""
        if not self._begun and not self.ready:
            return []
        events = [] if self._begun else [told("content_block_start", index, content_block=self.head())]
        self._begun = True
        events += [told("content_block_delta", index, delta=self.delta(piece)) for piece in self._waiting if piece]
        self._waiting.clear()
        return events

    def close(self, index: int) -> list[Event]:
        self.closed = True
        return [*self.tell(index), *self.last_words(index), told("content_block_stop", index)]

    @property
    def ready(self) -> bool:
        return True

    def head(self) -> Json:
        raise NotImplementedError

    def delta(self, piece: str) -> Json:
        raise NotImplementedError

    def last_words(self, index: int) -> list[Event]:
        return []


class Text(Block):
    def __init__(self) -> None:
        super().__init__("text")

    def head(self) -> Json:
        return {"type": "text", "text": ""}

    def delta(self, piece: str) -> Json:
        return {"type": "text_delta", "text": piece}


class Thinking(Block):
    """A signature is the last that is said in it."""

    def __init__(self) -> None:
        super().__init__("thinking")
        self.signature = ""

    def head(self) -> Json:
        return {"type": "thinking", "thinking": "", "signature": ""}

    def delta(self, piece: str) -> Json:
        return {"type": "thinking_delta", "thinking": piece}

    def last_words(self, index: int) -> list[Event]:
        return [told("content_block_delta", index, delta={"type": "signature_delta", "signature": self.signature})]


class Redacted(Block):
    def __init__(self, data: str) -> None:
        super().__init__("redacted_thinking")
        self._data = data

    def head(self) -> Json:
        return {"type": "redacted_thinking", "data": self._data}


class ToolUse(Block):
    """It begins once its name and its id are known. A call without an id gets `substitute` when it ends."""

    def __init__(self, substitute: str) -> None:
        super().__init__("tool_use")
        self.id = ""
        self.name = ""
        self._substitute = substitute
        self._arguments: list[str] = []

    def add(self, piece: str) -> None:
        super().add(piece)
        self._arguments.append(piece)

    @property
    def whole(self) -> bool:
        """Its arguments are a JSON object. Nothing at all may be the beginning of one."""
        if not self.name or not self._arguments or not self._arguments[-1].rstrip().endswith("}"):
            return False
        try:
            return isinstance(msgspec.json.decode("".join(self._arguments)), dict)
        except (ValueError, RecursionError):
            return False

    @property
    def ready(self) -> bool:
        return bool(self.id and self.name)

    def close(self, index: int) -> list[Event]:
        if not self.name:
            raise ProtocolFault
        self.id = self.id or self._substitute
        return super().close(index)

    def head(self) -> Json:
        return {"type": "tool_use", "id": self.id, "name": self.name, "input": {}}

    def delta(self, piece: str) -> Json:
        return {"type": "input_json_delta", "partial_json": piece}
