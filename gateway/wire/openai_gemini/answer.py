"""A GenerateContentResponse as a chat completion."""

from gateway.core.fault import EmptyFault, ProtocolFault
from gateway.wire.events import Json
from gateway.wire.gemini import read_fault
from gateway.wire.openai_gemini.candidate import Candidate, read_index
from gateway.wire.openai_gemini.head import read_block, read_head, read_id, read_usage


def translate_answer(body: Json) -> Json:
    """Raises the Fault that an error amounts to, ProtocolFault, and EmptyFault where nothing was said."""
    if body.get("error") is not None:
        raise read_fault(body["error"])
    found = body.get("candidates")
    if not isinstance(found, list | None):
        raise ProtocolFault
    chat = read_head(body, "chat.completion")
    if found:
        choices = [_read_choice(candidate, at, read_id(body)) for at, candidate in enumerate(found)]
        if not any(choices):
            raise EmptyFault
        chat["choices"] = [choice for choice in choices if choice]
    else:
        chat["choices"] = [_read_blocked(body)]
    if (usage := read_usage(body.get("usageMetadata"))) is not None:
        chat["usage"] = usage
    return chat


def _read_choice(candidate: object, position: int, prefix: str) -> Json | None:
    """None if the model stopped before it said anything."""
    if not isinstance(candidate, dict):
        raise ProtocolFault
    reader = Candidate(prefix, read_index(candidate, position))
    delta, logprobs = reader.read(candidate)
    finish = reader.finish or ("tool_calls" if reader.calls else "stop")
    content = candidate.get("content")
    if delta.keys() <= {"role"} and finish == "stop" and not (isinstance(content, dict) and content.get("parts")):
        return None
    message: Json = {"role": "assistant", "content": None, "refusal": None} | delta
    if "tool_calls" in delta:
        message["tool_calls"] = _join(delta["tool_calls"] + reader.calls.close())
    elif message["content"] is None and finish != "content_filter":
        message["content"] = ""
    return {"index": reader.index, "message": message, "logprobs": logprobs, "finish_reason": finish}


def _join(deltas: list[Json]) -> list[Json]:
    """Deltas of one call are one call; in a message they have no index."""
    calls: list[Json] = []
    for delta in deltas:
        if "id" in delta:
            calls.append({name: value for name, value in delta.items() if name != "index"})
        else:
            calls[delta["index"]]["function"]["arguments"] += delta["function"]["arguments"]
    return calls


def _read_blocked(body: Json) -> Json:
    blocked, message = read_block(body)
    if not blocked:
        raise EmptyFault if "candidates" in body or "usageMetadata" in body else ProtocolFault
    told = {"role": "assistant", "content": None, "refusal": message}
    return {"index": 0, "message": told, "logprobs": None, "finish_reason": "content_filter"}
