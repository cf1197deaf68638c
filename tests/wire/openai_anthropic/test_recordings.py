"""What providers really sent."""

from typing import Any

import msgspec

from gateway.core.errors import Refusal
from gateway.wire.openai_anthropic import OpenAIAnthropic
from tests.recordings import Recording, recorded
from tests.values import make_target
from tests.wire.openai_anthropic.streams import gather, read
from tests.wire.openai_anthropic.validators import check_answer, check_chunks, check_request

MODELS = ("claude-opus-4-8", "claude-sonnet-4-6", "claude-sonnet-4-5", "claude-3-haiku-20240307", "MiniMax-M2")
# The body holds two answers, one begun inside the other.
SPLICED = "vercel-ai.spliced-message-start.d6e3"


def texts(blocks: list[dict[str, Any]]) -> str:
    return "".join(block["text"] for block in blocks if block["type"] == "text")


def calls(blocks: list[dict[str, Any]]) -> list[tuple[str, str, Any]]:
    return [(block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]


def total(usage: dict[str, Any]) -> int:
    cached = ("cache_read_input_tokens", "cache_creation_input_tokens")
    return sum(usage.get(name) or 0 for name in ("input_tokens", *cached, "output_tokens"))


FINISHES = {"end_turn": "stop", "tool_use": "tool_calls", "max_tokens": "length", "refusal": "content_filter"}


def test_recorded_answers_keep_texts_calls_finish_and_usage() -> None:
    for one in recorded("messages", stream=False):
        body = msgspec.json.decode(one.body)
        chat = OpenAIAnthropic().answer(body)
        check_answer(chat)
        told = chat["choices"][0]
        made = [
            (call["id"], call["function"]["name"], msgspec.json.decode(call["function"]["arguments"]))
            for call in told["message"].get("tool_calls", [])
        ]
        assert (told["message"]["content"] or "") == texts(body["content"])
        assert made == calls(body["content"])
        assert told["finish_reason"] == FINISHES[body["stop_reason"]]
        assert chat["usage"]["total_tokens"] == total(body["usage"])


def first_answer(one: Recording) -> list[dict[str, Any]]:
    """The events of a recording up to its first end: some hold several answers."""
    events = [msgspec.json.decode(line[5:]) for line in one.body.splitlines() if line.startswith(b"data:")]
    ends = [index for index, event in enumerate(events) if event["type"] == "message_stop"]
    return events[: ends[0] + 1]


def test_recorded_streams_keep_texts_calls_finish_and_usage() -> None:
    for one in recorded("messages", stream=True):
        chunks, done = read(one.body)
        check_chunks(chunks)
        whole = gather(chunks)
        if one.id == SPLICED:
            assert whole["error"] is not None
            continue
        usage: dict[str, Any] = {}
        blocks: dict[int, dict[str, Any]] = {}
        for event in first_answer(one):
            match event["type"]:
                case "message_start":
                    usage.update(event["message"]["usage"])
                case "content_block_start":
                    blocks[event["index"]] = {**event["content_block"], "json": ""}
                case "content_block_delta":
                    block, delta = blocks[event["index"]], event["delta"]
                    block["text"] = block.get("text", "") + delta.get("text", "")
                    block["json"] += delta.get("partial_json", "")
                case "message_delta":
                    usage.update({name: value for name, value in event["usage"].items() if value is not None})
                    reason = event["delta"]["stop_reason"]
        for block in blocks.values():
            block["input"] = block["json"] or msgspec.json.encode(block.get("input")).decode()
        told = [tuple(call) for call in whole["calls"]]
        assert done
        assert whole["content"] == texts(list(blocks.values()))
        assert told == calls(list(blocks.values()))
        assert whole["finish"] == FINISHES[reason]
        assert whole["usage"]["total_tokens"] == total(usage)


def test_recorded_streams_are_the_same_wherever_they_are_cut() -> None:
    for one in recorded("messages", stream=True):
        whole = read(one.body)
        size = len(one.body)
        assert read(one.body, list(range(1, size, max(1, size // 97)))) == whole
        assert read(one.body, [size // 3, size // 3 + 1, size // 2]) == whole


def test_recorded_requests_are_what_anthropics_library_sends_or_refused() -> None:
    sent = 0
    for one in [*recorded("chat", stream=False), *recorded("chat", stream=True)]:
        for model in MODELS:
            try:
                body = OpenAIAnthropic().request({**one.asked, "model": model}, make_target(model)).body
            except Refusal:
                continue
            check_request(body)
            sent += 1
    assert sent or not recorded("chat", stream=False)
