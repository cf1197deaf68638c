"""Chat requests, and what is sent for them."""

import copy
from typing import Any

from gateway.wire.openai_anthropic import OpenAIAnthropic
from gateway.wire.translation import Sent
from tests.values import make_target

NEW, MIDDLE, OLD, OTHER = "claude-opus-4-8", "claude-sonnet-4-6", "claude-sonnet-4-5-20250929", "MiniMax-M2"


def send(model: str = OLD, limit: int | None = None, **fields: Any) -> Sent:
    chat = {"model": model, "messages": [user("Hi")], **fields}
    before = copy.deepcopy(chat)
    sent = OpenAIAnthropic().request(chat, make_target(model, max_output_tokens=limit))
    assert chat == before
    return sent


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any = None, **members: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **members}


def call(number: int, arguments: str = "{}", name: str = "look") -> dict[str, Any]:
    return {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": arguments}}


def result(number: int, content: Any = "seen") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": f"call_{number}", "content": content}


def tool(name: str = "look", **members: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **members}}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def turns(*messages: dict[str, Any]) -> list[tuple[str, list[Any]]]:
    return [(turn["role"], turn["content"]) for turn in send(messages=list(messages)).body["messages"]]


def thought(content: str, signature: str | None = None, **members: Any) -> dict[str, Any]:
    return {
        "type": "reasoning.text",
        "text": content,
        "signature": signature,
        "format": "anthropic-claude-v1",
        **members,
    }
