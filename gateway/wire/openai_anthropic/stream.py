"""A stream of the Messages API as chat completion chunks."""

from collections.abc import Callable

from gateway.core.fault import EmptyFault
from gateway.wire.anthropic import told
from gateway.wire.events import Json
from gateway.wire.openai_anthropic.answer import (
    as_text,
    chat_usage,
    encode,
    explanation,
    finish,
    hidden_thought,
    thought,
)

_SPLICED: Json = {
    "message": "The provider's stream began another answer in the middle of one.",
    "type": "api_error",
    "param": None,
    "code": None,
}


class Reader:
    """Fits ChunkReader. Whole with `message_stop`; of an answer nothing is held but a signature.

    Raises EmptyFault for an end without a beginning, ProtocolFault for what is nested too deeply.
    """

    last_word = True

    def __init__(self) -> None:
        self.done = False
        self._id = self._model = ""
        self._failed = False
        self._begun = False
        self._finished = False
        self._blocks: dict[object, _Block] = {}
        self._calls = 0
        self._thoughts = 0
        self._usage: list[object] = [None, None]
        self._stopped: Json = {}
        self._readers: dict[str, Callable[[Json], list[Json]]] = {
            "message_start": self._start,
            "content_block_start": self._open,
            "content_block_delta": self._delta,
            "content_block_stop": self._close,
            "message_delta": self._stop,
            "message_stop": self._end,
            "error": self._fail,
        }

    def read(self, name: str, data: Json) -> list[Json]:
        reader = self._readers.get(as_text(data.get("type")) or name)
        return [] if reader is None or self.done or self._failed else reader(data)

    def end(self) -> list[Json]:
        """Of a stream without its last event: what was used, so far as it said so."""
        return self._account() if self._finished and not (self.done or self._failed) else []

    def _start(self, data: Json) -> list[Json]:
        message = _object(data.get("message"))
        if self._begun:
            return [] if message.get("id") == self._id else self._fail({"error": _SPLICED})
        self._begun = True
        self._id, self._model = as_text(message.get("id")), as_text(message.get("model"))
        self._usage[0] = message.get("usage")
        self._stopped = message if message.get("stop_reason") is not None else {}
        chunks = [self._chunk({"role": "assistant", "content": ""})]
        content = message.get("content")
        for index, block in enumerate(content if isinstance(content, list) else []):
            at = {"index": index}
            chunks += self._open({**at, "content_block": block}) + self._close(at)
        return chunks

    def _open(self, data: Json) -> list[Json]:
        given = _object(data.get("content_block"))
        block = _Block(as_text(given.get("type")), self._calls, given.get("input"))
        self._blocks[_index(data)] = block
        match block.kind:
            case "text":
                return self._text(as_text(given.get("text")))
            case "thinking":
                block.signature = as_text(given.get("signature"))
                self._thoughts += 1
                return self._think(as_text(given.get("thinking")))
            case "redacted_thinking":
                self._thoughts += 1
                return [self._detail(hidden_thought(given.get("data")))]
            case "tool_use":
                self._calls += 1
                function = {"name": as_text(given.get("name")), "arguments": ""}
                call = {"id": as_text(given.get("id")), "type": "function", "function": function}
                return [self._chunk({"tool_calls": [{"index": block.call, **call}]})]
        return []

    def _delta(self, data: Json) -> list[Json]:
        delta = _object(data.get("delta"))
        block = self._blocks.get(_index(data))
        match delta.get("type"):
            case "text_delta":
                return self._text(as_text(delta.get("text")))
            case "thinking_delta":
                return self._think(as_text(delta.get("thinking")))
            case "signature_delta" if block is not None:
                block.signature += as_text(delta.get("signature"))
            case "input_json_delta" if block is not None and block.kind == "tool_use":
                return self._argue(block, as_text(delta.get("partial_json")))
        return []

    def _close(self, data: Json) -> list[Json]:
        block = self._blocks.pop(_index(data), None)
        if block is None:
            return []
        if block.kind == "thinking" and block.signature:
            return [self._detail(thought("", block.signature))]
        if block.kind == "tool_use" and not block.argued:
            return self._argue(block, encode(block.input or {}))
        return []

    def _stop(self, data: Json) -> list[Json]:
        if data.get("usage") is not None:
            self._usage[1] = data["usage"]
        delta = _object(data.get("delta"))
        if delta.get("stop_reason") is None:
            return []
        self._stopped = delta
        return self._finish()

    def _end(self, data: Json) -> list[Json]:
        if not self._begun:
            raise EmptyFault
        self.done = True
        return self._finish() + self._account()

    def _fail(self, data: Json) -> list[Json]:
        self._failed = True
        return [{"error": told(data.get("error"))}]

    def _text(self, text: str) -> list[Json]:
        return [self._chunk({"content": text})] if text else []

    def _think(self, text: str) -> list[Json]:
        """In the details too: who only keeps those can give all of it back. The signature comes as their last piece."""
        return [self._detail({"type": "reasoning.text", "text": text}, reasoning_content=text)] if text else []

    def _detail(self, detail: Json, **also: str) -> Json:
        """Its pieces have one index, and what is put together by concatenation in one of them only."""
        return self._chunk({**also, "reasoning_details": [{**detail, "index": self._thoughts - 1}]})

    def _argue(self, block: "_Block", text: str) -> list[Json]:
        if not text:
            return []
        block.argued = True
        return [self._chunk({"tool_calls": [{"index": block.call, "function": {"arguments": text}}]})]

    def _finish(self) -> list[Json]:
        if self._finished:
            return []
        self._finished = True
        refusal = explanation(self._stopped)
        delta = {} if refusal is None else {"refusal": refusal}
        return [self._chunk(delta, finish(self._stopped.get("stop_reason")))]

    def _account(self) -> list[Json]:
        usage = chat_usage(*self._usage)
        return [] if usage is None else [{**self._frame([]), "usage": usage}]

    def _chunk(self, delta: Json, finish_reason: str | None = None) -> Json:
        return self._frame([{"index": 0, "delta": delta, "finish_reason": finish_reason}])

    def _frame(self, choices: list[Json]) -> Json:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": 0,
            "model": self._model,
            "choices": choices,
        }


class _Block:
    """A content block that has not ended. `input` is what it began with, `call` its place among the tool calls."""

    __slots__ = ("argued", "call", "input", "kind", "signature")

    def __init__(self, kind: str, call: int, given: object) -> None:
        self.kind = kind
        self.call = call
        self.input = given
        self.signature = ""
        self.argued = False


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _index(data: Json) -> object:
    index = data.get("index")
    return index if isinstance(index, int) else None
