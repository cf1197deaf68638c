"""A plain response as a chat completion: its items read as a stream in which none was streamed."""

import msgspec

from gateway.core.fault import EmptyFault, ProtocolFault
from gateway.wire.events import Json
from gateway.wire.openai_responses.completion import Envelope, read_finish, read_usage
from gateway.wire.openai_responses.output import Output, Piece
from gateway.wire.responses import read_failure

# A plain answer is not given before it is over; `background` is never asked for.
_UNDER_WAY = ("queued", "in_progress", "cancelled")


def read_answer(body: Json) -> Json:
    """Raises ProtocolFault, EmptyFault, or the Fault that a failed response amounts to.

    No output is an answer if it took tokens: a limit was reached in the reasoning, or the first token was the last.
    """
    if body.get("status") == "failed" or body.get("error") is not None:
        raise read_failure(200, msgspec.json.encode(body))
    items = body.get("output")
    if body.get("status") in _UNDER_WAY or not isinstance(items, list):
        raise ProtocolFault
    usage = read_usage(body.get("usage"))
    if not items and not (usage or {}).get("completion_tokens"):
        raise EmptyFault
    output = Output()
    pieces = [piece for i, item in enumerate(items) for piece in output.complete(item, i)]
    choice: Json = {
        "index": 0,
        "message": _message(pieces),
        "finish_reason": read_finish(body, output.calls, incomplete=False),
        "logprobs": None,
    }
    if logprobs := [one for piece in pieces for one in piece.logprobs or ()]:
        choice["logprobs"] = {"content": logprobs, "refusal": None}
    envelope = Envelope("chat.completion")
    envelope.read(body)
    return envelope.of([choice], usage)


def _message(pieces: list[Piece]) -> Json:
    text, refusal, reasoning = (_joined(pieces, name) for name in ("content", "refusal", "reasoning_content"))
    message: Json = {"role": "assistant", "content": text, "refusal": refusal}
    if reasoning is not None:
        message["reasoning_content"] = reasoning
    for name in ("reasoning_details", "annotations"):
        if listed := [one for piece in pieces for one in piece.delta.get(name, ())]:
            message[name] = listed
    if calls := _calls(pieces):
        message["tool_calls"] = calls
    elif text is None and refusal is None:
        message["content"] = ""
    return message


def _joined(pieces: list[Piece], name: str) -> str | None:
    texts = [piece.delta[name] for piece in pieces if name in piece.delta]
    return "".join(texts) if texts else None


def _calls(pieces: list[Piece]) -> list[Json]:
    """Each is a first delta with its id, and a second with its input if it has any."""
    calls: list[Json] = []
    for delta in (delta for piece in pieces for delta in piece.delta.get("tool_calls", ())):
        if "id" in delta:
            kind = delta["type"]
            calls.append({"id": delta["id"], "type": kind, kind: dict(delta[kind])})
        else:
            calls[-1][calls[-1]["type"]] |= delta[calls[-1]["type"]]
    return calls
