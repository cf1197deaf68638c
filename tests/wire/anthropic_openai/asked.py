"""Requests as an Anthropic caller sends them."""

from typing import Any

from gateway.wire.anthropic_openai import AnthropicOpenAI
from gateway.wire.events import Json
from gateway.wire.translation import Sent
from tests.wire.anthropic_openai.sdk import is_chat_request

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
TOOL = {"name": "f", "description": "Does f.", "input_schema": SCHEMA}
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aW1n"}}
PNG_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aW1n"}}
CACHE = {"type": "ephemeral"}


def user(*blocks: Json | str) -> Json:
    return {"role": "user", "content": blocks[0] if blocks and isinstance(blocks[0], str) else list(blocks)}


def assistant(*blocks: Json) -> Json:
    return {"role": "assistant", "content": list(blocks)}


def said(text: str, **more: Any) -> Json:
    return {"type": "text", "text": text} | more


def use(id: str = "t1", **more: Any) -> Json:  # noqa: A002
    return {"type": "tool_use", "id": id, "name": "f", "input": {"a": 1}} | more


def result(id: str = "t1", **more: Any) -> Json:  # noqa: A002
    return {"type": "tool_result", "tool_use_id": id} | more


def request(*messages: Json, **more: Any) -> Json:
    return {"model": "m", "max_tokens": 5, "messages": list(messages) or [user("Hi")]} | more


def sent(body: Json) -> Sent:
    """What becomes of a request, judged by OpenAI's SDK."""
    made = AnthropicOpenAI().request(body)
    is_chat_request(made.body)
    return made


def messages(*given: Json, **more: Any) -> list[Json]:
    """The chat messages of a conversation."""
    made: list[Json] = sent(request(*given, **more)).body["messages"]
    return made
