"""The official SDKs as judges of what is sent and what comes back."""

from collections.abc import Iterable
from typing import Any

import httpx2
import pydantic
from anthropic import Anthropic
from anthropic.types import Message, RawMessageStreamEvent
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)

from gateway.wire.events import Event, Json

# What the middle carries and OpenAI's own API does not know.
_OURS = frozenset({"cache_control", "reasoning_content", "reasoning_details", "extra_content"})
_PLAIN = pydantic.TypeAdapter(CompletionCreateParamsNonStreaming)
_STREAMED = pydantic.TypeAdapter(CompletionCreateParamsStreaming)
_EVENT: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(RawMessageStreamEvent)


def is_chat_request(chat: Json) -> Json:
    """`chat`, which OpenAI's SDK knows every member of."""
    sent = _without_ours(chat)
    model = _STREAMED if chat.get("stream") else _PLAIN
    assert _same(model.validate_python(sent), sent)
    return chat


def is_message(answer: Json) -> Message:
    """Strictly: nothing is left over that the SDK does not know."""
    message = Message.model_validate(answer, strict=True)
    assert not message.model_extra
    return message


def accumulated(events: Iterable[Event]) -> Message:
    """What the SDK makes of a stream; it raises for an error event."""
    events = list(events)
    for event in events:
        assert event.name == event.data["type"]
        if event.name != "error":
            assert not _EVENT.validate_python(event.data, strict=True).model_extra
    stream = b"".join(event.encode() for event in events)

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=stream)

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        client = Anthropic(api_key="k", base_url="http://gateway", http_client=http, max_retries=0)
        asked: Any = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}
        with client.messages.stream(**asked) as read:
            return read.get_final_message()


def _without_ours(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_ours(member) for name, member in value.items() if name not in _OURS}
    return [_without_ours(item) for item in value] if isinstance(value, list) else value


def _same(read: Any, sent: Any) -> bool:
    """The SDK's iterables are read as they are looked at, which is when they refuse an item."""
    if isinstance(sent, dict) and isinstance(read, dict):
        return sent.keys() == read.keys() and all(_same(read[name], sent[name]) for name in sent)
    if isinstance(sent, list):
        return all(_same(one, other) for one, other in zip(read, sent, strict=True))
    return bool(read == sent)
