"""What providers really sent, at the cuts of a fixed step: nothing of it is lost, and nothing is made up."""

import json
from typing import Any

from openai.types.chat import ChatCompletion

from gateway.wire.events import Framing
from gateway.wire.openai_responses import OpenAIResponses
from tests.recordings import recorded
from tests.wire.openai_responses.cases import Json
from tests.wire.openai_responses.reading import fold, read


def _events(body: bytes) -> list[Any]:
    """Of the first response: some recordings have the next one too."""
    framing, events = Framing(), []
    for event in [*framing.feed(body), *framing.end()]:
        if event.data and event.data != b"[DONE]":
            events.append(json.loads(event.data))
            if events[-1]["type"] == "response.completed":
                break
    return events


def _expected(response: Json, items: list[Json]) -> Json:
    """Straight from the recorded items."""
    parts = [part for item in items if item["type"] == "message" for part in item["content"]]
    calls = [item for item in items if item["type"] in ("function_call", "custom_tool_call")]
    usage = response.get("usage") or {}
    return {
        "text": "".join(part["text"] for part in parts if part["type"] == "output_text"),
        "calls": [(item["call_id"], item["name"], item.get("arguments", item.get("input"))) for item in calls],
        "encrypted": [one for item in items if item["type"] == "reasoning" and (one := item.get("encrypted_content"))],
        "finish": "length" if response["status"] == "incomplete" else "tool_calls" if calls else "stop",
        "tokens": (usage.get("input_tokens"), usage.get("output_tokens"), usage.get("total_tokens")),
    }


def _got(message: Json, finish: str, usage: Json | None) -> Json:
    calls = [(one["id"], one[one["type"]]) for one in message.get("tool_calls") or ()]
    details = [one["data"] for one in message.get("reasoning_details", ()) if one["type"] == "reasoning.encrypted"]
    usage = usage or {}
    return {
        "text": message.get("content") or "",
        "calls": [(name, inner["name"], inner.get("arguments", inner.get("input"))) for name, inner in calls],
        "encrypted": details,
        "finish": finish,
        "tokens": tuple(usage.get(name) for name in ("prompt_tokens", "completion_tokens", "total_tokens")),
    }


def _told(item: Json, events: list[Any]) -> str:
    """The text of a message: whole, or, as some recordings are abridged, as it was streamed."""
    text = "".join(part["text"] for part in item["content"] if part["type"] == "output_text")
    deltas = (event for event in events if event["type"] == "response.output_text.delta")
    streamed = "".join(event["delta"] for event in deltas if event["item_id"] == item["id"])
    return text if text.startswith(streamed) else streamed


def _without_breaks(told: Json) -> Json:
    """Between two messages a line is left."""
    return {**told, "text": told["text"].replace("\n", "")}


def test_plain_answers_keep_their_text_calls_finish_and_usage() -> None:
    for recording in recorded("responses", stream=False):
        body = json.loads(recording.body)
        answer = OpenAIResponses().answer(body)
        ChatCompletion.model_validate(answer, strict=True)
        choice = answer["choices"][0]
        got = _got(choice["message"], choice["finish_reason"], answer.get("usage"))
        assert _without_breaks(got) == _without_breaks(_expected(body, body["output"])), recording.id


def test_streams_keep_their_text_calls_finish_and_usage_at_any_cut() -> None:
    for recording in recorded("responses", stream=True):
        chunks, done = read([recording.body])
        step = 1 + len(recording.body) // 97
        pieces = [recording.body[i : i + step] for i in range(0, len(recording.body), step)]
        assert read(pieces) == (chunks, done), recording.id
        events = _events(recording.body)
        last = events[-1]
        if last["type"] != "response.completed":
            assert not done
            assert "error" in chunks[-1]
            continue
        items = [event["item"] for event in events if event["type"] == "response.output_item.done"]
        expected = _expected(last["response"], items)
        expected["text"] = "".join(_told(item, events) for item in items if item["type"] == "message")
        folded = fold(chunks)
        got = _got(folded, folded["finish_reason"], folded["usage"])
        assert done
        assert _without_breaks(got) == _without_breaks(expected), recording.id
