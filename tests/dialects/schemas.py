"""Requests as the providers' own SDKs declare them."""

from typing import Any

import pydantic
from anthropic.types import message_create_params
from google.genai import types as google
from openai.types.chat import completion_create_params
from openai.types.responses import response_create_params

from tests.dialects.providers import Json, Provider

_PARAMS: dict[str, tuple[Any, Any]] = {
    "openai": (
        completion_create_params.CompletionCreateParamsNonStreaming,
        completion_create_params.CompletionCreateParamsStreaming,
    ),
    "anthropic": (
        message_create_params.MessageCreateParamsNonStreaming,
        message_create_params.MessageCreateParamsStreaming,
    ),
    "responses": (
        response_create_params.ResponseCreateParamsNonStreaming,
        response_create_params.ResponseCreateParamsStreaming,
    ),
}
_GEMINI: dict[str, Any] = {
    "contents": list[google.Content],
    "systemInstruction": google.Content,
    "tools": list[google.Tool],
    "toolConfig": google.ToolConfig,
    "generationConfig": google.GenerationConfig,
}


def check(provider: Provider, body: Json, *, stream: bool) -> None:
    """No member but those that are declared, each of its type."""
    if provider.dialect == "gemini":
        for name, value in body.items():
            pydantic.TypeAdapter(_GEMINI[name]).validate_python(value)
        return
    params = _PARAMS[provider.dialect][stream]
    assert body.keys() <= params.__annotations__.keys() | _inherited(params)
    assert body["model"] == provider.model
    assert bool(body.get("stream")) == stream
    pydantic.TypeAdapter(params).validate_python(body)


def _inherited(params: Any) -> set[str]:
    return {*params.__required_keys__, *params.__optional_keys__}
