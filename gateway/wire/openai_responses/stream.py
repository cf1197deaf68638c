"""One stream of response events, read as chat completion chunks."""

from gateway.wire.events import Json
from gateway.wire.openai_responses.completion import Envelope, read_finish, read_usage
from gateway.wire.openai_responses.output import Output, Piece
from gateway.wire.responses import read_error

_BEGUN = ("response.created", "response.in_progress", "response.queued")
_ENDED = ("response.completed", "response.incomplete")
_FAILED = ("error", "response.failed")


class ResponseReader:
    """Fits ChunkReader.

    The first chunk comes with the first output, not with `response.created`: that says only that the request was
    accepted, and a response that fails after it has still to fail before the first byte.
    """

    last_word = True

    def __init__(self) -> None:
        self.done = False
        self._failed = False
        self._started = False
        self._envelope = Envelope("chat.completion.chunk")
        self._output = Output()

    def read(self, name: str, data: Json) -> list[Json]:
        if self.done or self._failed:
            return []
        kind = data.get("type")
        kind = kind if isinstance(kind, str) else name
        if kind in _FAILED:
            self._failed = True
            return [{"error": read_error(data)}]
        response = data.get("response")
        if kind in _BEGUN and isinstance(response, dict):
            self._envelope.read(response)
        if kind in _ENDED:
            return self._end(kind, response if isinstance(response, dict) else {})
        match kind:
            case "response.output_item.added":
                return self._start() + self._chunks(self._output.add(data.get("item"), data.get("output_index")))
            case "response.output_item.done":
                return self._chunks(self._output.complete(data.get("item"), data.get("output_index")))
            case _:
                return self._chunks(self._output.read(kind, data))

    def end(self) -> list[Json]:
        return []

    def _start(self) -> list[Json]:
        if self._started:
            return []
        self._started = True
        return [self._envelope.chunk({"role": "assistant", "content": None})]

    def _chunks(self, pieces: list[Piece]) -> list[Json]:
        if not pieces:
            return []
        return self._start() + [self._envelope.chunk(piece.delta, logprobs=piece.logprobs) for piece in pieces]

    def _end(self, kind: str, response: Json) -> list[Json]:
        self.done = True
        self._envelope.read(response)
        output = response.get("output")
        pieces = []
        for i, item in enumerate(output if isinstance(output, list) else ()):
            pieces += self._output.complete(item, i)
        chunks = self._start() + self._chunks(pieces)
        finish = read_finish(response, self._output.calls, incomplete=kind == "response.incomplete")
        chunks.append(self._envelope.chunk({}, finish=finish))
        if (usage := read_usage(response.get("usage"))) is not None:
            chunks.append(self._envelope.of([], usage))
        return chunks
