"""Recorded traffic: what the recording holds, read once more by other means, is what comes out."""

import json
from typing import Any

from google.genai import types

from tests.recordings import recorded
from tests.wire.openai_gemini.answers import answer, fold, stream

FINISH = {"STOP": "stop", "MAX_TOKENS": "length", 1: "stop", 2: "length"}


def counted(found: dict[str, Any]) -> tuple[int, int, int]:
    counted_alone = {name: count for name, count in found.items() if name.endswith("Count")}
    counts = types.GenerateContentResponseUsageMetadata.model_validate(counted_alone)
    prompt, thoughts = counts.prompt_token_count or 0, counts.thoughts_token_count or 0
    return prompt, (counts.candidates_token_count or 0) + thoughts, thoughts


def told(usage: dict[str, Any]) -> tuple[int, int, int]:
    thoughts = usage["completion_tokens_details"]["reasoning_tokens"]
    return usage["prompt_tokens"], usage["completion_tokens"], thoughts


def parts_of(*bodies: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for body in bodies for one in body["candidates"] for part in one.get("content", {}).get("parts", [])]


def texts(parts: list[dict[str, Any]], *, thought: bool) -> str:
    return "".join(part.get("text", "") for part in parts if part.get("thought", False) is thought)


def names(parts: list[dict[str, Any]]) -> list[str]:
    return [part["functionCall"]["name"] for part in parts if part.get("functionCall", {}).get("name")]


def arguments(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of calls that came whole."""
    return [part["functionCall"]["args"] for part in parts if "args" in part.get("functionCall", {})]


def signatures(parts: list[dict[str, Any]]) -> list[str]:
    return [part["thoughtSignature"] for part in parts if "thoughtSignature" in part]


def check(message: dict[str, Any], parts: list[dict[str, Any]], finish: str, reason: Any) -> None:
    assert (message.get("content") or "") == texts(parts, thought=False)
    assert message.get("reasoning_content", "") == texts(parts, thought=True)
    calls = message.get("tool_calls", [])
    assert [one["function"]["name"] for one in calls] == names(parts)
    found = [json.loads(one["function"]["arguments"]) for one in calls]
    if len(arguments(parts)) == len(calls):
        assert found == arguments(parts)
    kept = [one["extra_content"]["google"]["thought_signature"] for one in calls if "extra_content" in one]
    kept += [one.get("data") or one["signature"] for one in message.get("reasoning_details", [])]
    assert sorted(kept) == sorted(signatures(parts))
    assert finish == ("tool_calls" if calls else FINISH[reason])


def test_plain_answers() -> None:
    for one in recorded("gemini", stream=False):
        body = json.loads(one.body)
        chat = answer(body)
        choice = chat["choices"][0]
        check(choice["message"], parts_of(body), choice["finish_reason"], body["candidates"][0]["finishReason"])
        assert told(chat["usage"]) == counted(body["usageMetadata"])
        assert chat["usage"]["total_tokens"] == body["usageMetadata"]["totalTokenCount"]


def test_streams() -> None:
    for one in recorded("gemini", stream=True):
        bodies = [json.loads(line[5:]) for line in one.body.splitlines() if line.startswith(b"data:")]
        chunks, done = stream(*bodies)
        found = fold(chunks)
        message = found["choices"][0]
        check(message, parts_of(*bodies), message["finish_reason"], bodies[-1]["candidates"][0]["finishReason"])
        assert told(found["usage"]) == counted(bodies[-1]["usageMetadata"])
        assert done, one.id


def test_arguments_that_were_recorded_in_pieces_are_whole() -> None:
    for one in recorded("gemini", stream=True):
        if b"partialArgs" not in one.body:
            continue
        bodies = [json.loads(line[5:]) for line in one.body.splitlines() if line.startswith(b"data:")]
        expected = sorted(
            piece[kind]
            for part in parts_of(*bodies)
            for piece in part.get("functionCall", {}).get("partialArgs", [])
            for kind in ("stringValue",)
            if piece.get(kind)
        )
        calls = fold(stream(*bodies)[0])["choices"][0]["tool_calls"]
        values = "".join(one["function"]["arguments"] for one in calls)
        assert all(json.dumps(text, ensure_ascii=False)[1:-1] in values for text in expected), one.id
