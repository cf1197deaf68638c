"""Google's generateContent: no event has a name, a call is whole, and the thoughts' signature is the call's."""

import json
from collections.abc import Iterator

from tests.sdk.upstreams.said import (
    CACHED,
    COMPLETION,
    PROMPT,
    REASONING,
    SIGNATURE,
    Heard,
    Json,
    Said,
    pieces,
)

_USAGE = {
    "promptTokenCount": PROMPT,
    "cachedContentTokenCount": CACHED,
    "candidatesTokenCount": COMPLETION - REASONING,
    "thoughtsTokenCount": REASONING,
    "totalTokenCount": PROMPT + COMPLETION,
}
_ERRORS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}


def hear(body: Json) -> Heard:
    turns = body["contents"]
    parts = [part for turn in turns for part in turn["parts"]]
    made = body.get("generationConfig", {})
    declared = [one for tool in body.get("tools", ()) for one in tool.get("functionDeclarations", ())]
    results = [part["functionResponse"]["response"] for part in parts if "functionResponse" in part]
    return Heard(
        system="".join(part["text"] for part in body.get("systemInstruction", {}).get("parts", ())),
        text="".join(part.get("text", "") for part in [t for t in turns if t["role"] == "user"][-1]["parts"]),
        tools=tuple(one["name"] for one in declared),
        results=tuple("".join(map(str, result.values())) for result in results),
        signature="".join(part["thoughtSignature"] for part in parts if "thoughtSignature" in part),
        thinks=made.get("thinkingConfig", {}).get("includeThoughts", False),
        is_structured=made.get("responseMimeType") == "application/json",
    )


def answer(said: Said) -> Json:
    said_parts = [{"text": said.thought, "thought": True}] if said.thought else []
    text = {"text": said.text, **_signature(said)} if said.text else None
    return _chunk(said, [*said_parts, *([text] if text else []), *_calls(said)], "STOP")


def stream(said: Said) -> Iterator[tuple[str, Json | bytes]]:
    for piece in pieces(said.thought):
        yield "", _chunk(said, [{"text": piece, "thought": True}])
    for piece in pieces(said.text):
        yield "", _chunk(said, [{"text": piece}])
    for call in _calls(said):
        yield "", _chunk(said, [call])
    last = [{"text": "", **_signature(said)}] if said.text else []
    yield "", _chunk(said, last, "STOP")


def fail(status: int, message: str) -> Json:
    return {"error": {"code": status, "message": message, "status": _ERRORS.get(status, "UNAVAILABLE")}}


def _calls(said: Said) -> Iterator[Json]:
    for index, call in enumerate(said.calls):
        function = {"id": call.id, "name": call.name, "args": json.loads(call.arguments)}
        yield {"functionCall": function, **({} if index else _signature(said))}


def _signature(said: Said) -> Json:
    return {"thoughtSignature": SIGNATURE} if said.thought else {}


def _chunk(said: Said, parts: list[Json], finish: str | None = None) -> Json:
    candidate: Json = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "usageMetadata": _USAGE, "modelVersion": said.model, "responseId": "r-1"}
