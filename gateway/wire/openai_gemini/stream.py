"""A stream of GenerateContentResponses as chat completion chunks.

Each event is a whole response with a piece of the answer. The last has a finishReason; there is no word after it.
"""

from gateway.core.fault import ProtocolFault
from gateway.wire.events import Json
from gateway.wire.gemini import read_error
from gateway.wire.openai_gemini.candidate import Candidate, read_index
from gateway.wire.openai_gemini.head import read_block, read_head, read_id, read_usage


class Reader:
    """A ChunkReader."""

    last_word = False

    def __init__(self) -> None:
        self.done = False
        self._head: Json | None = None
        self._prefix = ""
        self._candidates: dict[int, Candidate] = {}
        self._counts: object = None
        self._failed = False

    def read(self, name: str, data: Json) -> list[Json]:
        if data.get("error") is not None:
            self._failed = True
            return [read_error(data["error"])]
        if self._head is None:
            self._prefix = read_id(data)
            self._head = read_head(data, "chat.completion.chunk")
        counts = data.get("usageMetadata")
        # Counted so far: of the last event, but for one that knows only what kind of traffic it was.
        if isinstance(counts, dict) and "promptTokenCount" in counts:
            self._counts = counts
        candidates = data.get("candidates")
        if not candidates:
            return self._read_blocked(data)
        chunks: list[Json] = []
        try:
            if not isinstance(candidates, list):
                raise ProtocolFault
            for position, candidate in enumerate(candidates):
                chunks += self._read_candidate(candidate, position)
        except ProtocolFault:
            self._failed = True
            chunks.append(read_error(None))
        return chunks

    def end(self) -> list[Json]:
        finished = bool(self._candidates) and all(one.finish for one in self._candidates.values())
        self.done = finished and not self._failed
        usage = read_usage(self._counts)
        if not self.done or usage is None:
            return []
        return [{**(self._head or {}), "choices": [], "usage": usage}]

    def _read_candidate(self, candidate: object, position: int) -> list[Json]:
        if not isinstance(candidate, dict):
            raise ProtocolFault
        index = read_index(candidate, position)
        if index not in self._candidates:
            self._candidates[index] = Candidate(self._prefix, index)
        known = self._candidates[index]
        was_open = known.finish is None
        delta, logprobs = known.read(candidate)
        chunks = [self._chunk(index, delta, logprobs)] if delta or logprobs else []
        if was_open and known.finish:
            chunks.append(self._chunk(index, {}, None, known.finish))
        return chunks

    def _read_blocked(self, data: Json) -> list[Json]:
        blocked, message = read_block(data)
        if not blocked or self._candidates:
            return []
        self._candidates[0] = known = Candidate(self._prefix, 0)
        known.finish = "content_filter"
        delta = {"role": "assistant"} | ({"refusal": message} if message else {})
        return [self._chunk(0, delta, None), self._chunk(0, {}, None, known.finish)]

    def _chunk(self, index: int, delta: Json, logprobs: Json | None, finish: str | None = None) -> Json:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return {**(self._head or {}), "choices": [choice]}
