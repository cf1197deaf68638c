"""What providers really sent. Without recordings there is nothing to look at."""

import json
from typing import Any

import pytest

from gateway.core.errors import Inexpressible
from gateway.wire.anthropic_openai import AnthropicOpenAI
from gateway.wire.events import Event, Framing, Json
from tests.recordings import recorded
from tests.wire.anthropic_openai.sdk import accumulated, is_chat_request, is_message

STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


def chunks(stream: bytes) -> list[Json]:
    framing = Framing()
    events = framing.feed(stream) + framing.end()
    return [json.loads(event.data) for event in events if event.data and event.data != b"[DONE]"]


def replayed(stream: bytes) -> list[Event]:
    writer = AnthropicOpenAI().writer({})
    return [event for chunk in chunks(stream) for event in writer.write(chunk)] + writer.end()


def texts(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


def test_requests_of_real_callers_are_chat_requests_or_refused_for_what_runs_at_anthropic() -> None:
    for one in recorded("messages", stream=True) + recorded("messages", stream=False):
        if not _runs_at_anthropic(one.asked):
            is_chat_request(AnthropicOpenAI().request(one.asked).body)
            continue
        with pytest.raises(Inexpressible):
            AnthropicOpenAI().request(one.asked)


def _runs_at_anthropic(asked: Json) -> bool:
    return "container" in asked or any("type" in tool for tool in asked.get("tools", ()))


def test_plain_answers_say_what_was_recorded() -> None:
    for one in recorded("chat", stream=False):
        chat = json.loads(one.body)
        message = is_message(AnthropicOpenAI().answer(chat, one.asked))
        choice = chat["choices"][0]
        calls = choice["message"].get("tool_calls") or []
        assert "".join(block.text for block in message.content if block.type == "text") == texts(
            choice["message"].get("content")
        )
        used = [(block.name, block.input) for block in message.content if block.type == "tool_use"]
        assert used == [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]
        assert message.stop_reason == STOPS["tool_calls" if calls else choice["finish_reason"]]
        assert (
            message.usage.input_tokens + (message.usage.cache_read_input_tokens or 0) == chat["usage"]["prompt_tokens"]
        )
        assert message.usage.output_tokens == chat["usage"]["completion_tokens"]


def test_streams_say_what_was_recorded() -> None:
    for one in recorded("chat", stream=True):
        told = [chunk for chunk in chunks(one.body) if "error" not in chunk]
        choices = [choice for chunk in told for choice in chunk.get("choices") or () if not choice.get("index")]
        message = accumulated(replayed(one.body))
        said = "".join(texts(choice["delta"].get("content")) for choice in choices)
        assert "".join(block.text for block in message.content if block.type == "text") == said
        thought = "".join(choice["delta"].get("reasoning_content") or "" for choice in choices)
        assert thought in "".join(block.thinking for block in message.content if block.type == "thinking")
        pieces = [piece["function"] for choice in choices for piece in choice["delta"].get("tool_calls") or ()]
        used = [block for block in message.content if block.type == "tool_use"]
        assert [block.name for block in used] == [piece["name"] for piece in pieces if piece.get("name")]
        arguments = "".join(piece.get("arguments") or "" for piece in pieces)
        assert "".join(json.dumps(block.input) for block in used if block.input).replace(" ", "") in arguments.replace(
            " ", ""
        )
        finish = [choice["finish_reason"] for choice in choices if choice.get("finish_reason")]
        assert message.stop_reason == STOPS["tool_calls" if used else finish[-1]]
        usages = [chunk["usage"] for chunk in told if chunk.get("usage")]
        assert message.usage.output_tokens == (usages[-1]["completion_tokens"] if usages else 0)
