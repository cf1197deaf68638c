"""Chat requests and the words for their parts, and the types of Google's SDK that what is sent has to fit."""

import copy
import json
from typing import Any

from google.genai import types
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from gateway.wire.openai_gemini import OpenAIGemini
from tests.values import make_target

PNG = "data:image/png;base64,aGk="
SIGNED = {"google": {"thought_signature": "c2ln"}}
SCHEMA = {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"type": "string"}}}
FOREIGN = "skip_thought_signature_validator"

translation = OpenAIGemini()


class GenerateContentRequest(BaseModel):
    """The SDK has types for all of its members, but none for the whole."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)

    contents: list[types.Content]
    system_instruction: types.Content | None = None
    tools: list[types.Tool] | None = None
    tool_config: types.ToolConfig | None = None
    generation_config: types.GenerationConfig | None = None


def send(remote: str = "gemini-2.5-flash", limit: int | None = None, **chat: Any) -> dict[str, Any]:
    """The body, once the SDK's types have taken it and the caller's is found unchanged."""
    chat.setdefault("messages", [{"role": "user", "content": "Hi"}])
    before = copy.deepcopy(chat)
    body = translation.request(chat, make_target("g", remote=remote, max_output_tokens=limit)).body
    assert chat == before
    GenerateContentRequest.model_validate(json.loads(json.dumps(body)))
    return body


def say(*messages: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = send(messages=list(messages), **fields)["contents"]
    return found


def user(*parts: dict[str, Any] | str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"text": part} if isinstance(part, str) else part for part in parts]}


def model(*parts: dict[str, Any] | str) -> dict[str, Any]:
    return user(*parts) | {"role": "model"}


def call(name: str, key: str, arguments: str = "{}", **fields: Any) -> dict[str, Any]:
    return {"id": key, "type": "function", "function": {"name": name, "arguments": arguments}, **fields}


def tool(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **fields}}
