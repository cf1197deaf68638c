"""A candidate as deltas of a choice: what a plain answer and an event of a stream have in common."""

from gateway.core.fault import ProtocolFault
from gateway.wire.events import Json
from gateway.wire.openai_gemini.calls import Calls
from gateway.wire.openai_gemini.messages import FORMAT

MAX_CHOICES = 128

# Of the rest the reason is `stop`. Numbers are the same reasons, where a client of Google's asked for them.
_LENGTH = frozenset({"MAX_TOKENS", "CONTINUATION", 2})
_FILTERED = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "OTHER",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "IMAGE_OTHER",
        "ESCALATION",
        "PUP_LIMITED_DISABLED",
        "MODEL_ARMOR",
        3,
        4,
        5,
    }
)
# The model's own failure to say what it wanted: no answer, and often a good one the next time.
_FAILED = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
    }
)


class Candidate:
    """`finish` once it had its end; `said` once anything came."""

    __slots__ = ("calls", "finish", "index", "said")

    def __init__(self, prefix: str, index: int) -> None:
        self.index = index
        self.calls = Calls(prefix, index)
        self.finish: str | None = None
        self.said = False

    def read(self, candidate: Json) -> tuple[Json, Json | None]:
        """The delta, with a role in the first, and the logprobs. Raises ProtocolFault."""
        delta = self._read_parts(_parts(candidate))
        reason = candidate.get("finishReason")
        if reason in (None, "", "FINISH_REASON_UNSPECIFIED", 0) or not isinstance(reason, str | int):
            reason = None
        elif reason in _FAILED:
            raise ProtocolFault
        if reason is not None and self.finish is None:
            if late := self.calls.close():
                delta["tool_calls"] = delta.get("tool_calls", []) + late
            self.finish = self._finish(reason)
        if not self.said and (delta or self.finish):
            self.said = True
            delta = {"role": "assistant"} | delta
        return delta, read_logprobs(candidate.get("logprobsResult"))

    def _finish(self, reason: str | int) -> str:
        if reason in _LENGTH:
            return "length"
        if reason in _FILTERED:
            return "content_filter"
        return "tool_calls" if self.calls else "stop"

    def _read_parts(self, parts: list[object]) -> Json:
        texts: list[str] = []
        thoughts: list[str] = []
        details: list[Json] = []
        calls: list[Json] = []
        for part in parts:
            if not isinstance(part, dict):
                raise ProtocolFault
            signature = part.get("thoughtSignature")
            if part.get("functionCall") is not None:
                calls += self.calls.read(part["functionCall"], signature)
                continue
            text = part.get("text")
            thought = part.get("thought") is True
            if isinstance(text, str) and text:
                (thoughts if thought else texts).append(text)
            if isinstance(signature, str) and signature:
                details.append(_sign(text if thought and isinstance(text, str) else None, signature))
        delta: Json = {}
        if texts:
            delta["content"] = "".join(texts)
        if thoughts:
            delta["reasoning_content"] = "".join(thoughts)
        if details:
            delta["reasoning_details"] = details
        if calls:
            delta["tool_calls"] = calls
        return delta


def _sign(thought: str | None, signature: str) -> Json:
    if thought is None:
        return {"type": "reasoning.encrypted", "data": signature, "format": FORMAT}
    return {"type": "reasoning.text", "text": thought, "signature": signature, "format": FORMAT}


def _parts(candidate: Json) -> list[object]:
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    return parts if isinstance(parts, list) else []


def read_index(candidate: Json, position: int) -> int:
    """Vertex leaves a zero out."""
    index = candidate.get("index")
    return index if type(index) is int and 0 <= index < MAX_CHOICES else position


def read_logprobs(result: object) -> Json | None:
    if not isinstance(result, dict):
        return None
    chosen, top = result.get("chosenCandidates"), result.get("topCandidates")
    tokens = [found for token in chosen if (found := _token(token))] if isinstance(chosen, list) else []
    for at, token in enumerate(tokens):
        others = top[at] if isinstance(top, list) and at < len(top) else None
        named = others.get("candidates") if isinstance(others, dict) else None
        token["top_logprobs"] = [found for one in named if (found := _token(one))] if isinstance(named, list) else []
    return {"content": tokens, "refusal": None} if tokens else None


def _token(token: object) -> Json | None:
    if not isinstance(token, dict):
        return None
    text, logprob = token.get("token"), token.get("logProbability", 0.0)
    if not isinstance(text, str) or not isinstance(logprob, int | float):
        return None
    return {"token": text, "logprob": logprob, "bytes": list(text.encode(errors="replace"))}
