"""The providers' own libraries as judges of what is sent and what comes back."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from anthropic.types import message_create_params as params
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

_requests: TypeAdapter[Any] = TypeAdapter(params.MessageCreateParams)
# The library forgot them with the models that took them.
_SAMPLING = {"temperature", "top_p"}
_known = (
    _SAMPLING
    | params.MessageCreateParamsStreaming.__annotations__.keys()
    | (params.MessageCreateParamsBase.__annotations__.keys())
)


def check_request(body: dict[str, Any]) -> None:
    """Iterables are validated as they are read."""
    assert body.keys() <= _known
    _exhaust(_requests.validate_python(body))


def _exhaust(value: object) -> None:
    if isinstance(value, Mapping):
        for member in value.values():
            _exhaust(member)
    elif isinstance(value, Iterable) and not isinstance(value, str):
        for part in value:
            _exhaust(part)


def check_answer(chat: dict[str, Any]) -> None:
    ChatCompletion.model_validate_json(msgspec.json.encode(chat), strict=True)


def check_chunks(chunks: list[dict[str, Any]]) -> None:
    for chunk in chunks:
        if "error" not in chunk:
            ChatCompletionChunk.model_validate_json(msgspec.json.encode(chunk), strict=True)
