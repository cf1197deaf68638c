"""The front doors as their SDKs use them: one prompt, one tool, and what came of it, whatever words it came in."""

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from anthropic import AsyncAnthropic
from anthropic.types import Message
from openai import AsyncOpenAI, DefaultAsyncHttpxClient
from openai.types.responses import Response

from tests.conftest import KEY

_WORD = "hi"
_TOOL = "get_weather"
_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}},
    "required": ["city"],
    "additionalProperties": False,
}
_RESULT = "sunny"
# The turns before, for who asks for them.
_SYSTEM = "answer in the morning"
_EARLIER = [{"role": "user", "content": "the river"}, {"role": "assistant", "content": "the stone"}]

Json = dict[str, Any]


@dataclass(frozen=True)
class ToolCall:
    name: str
    arguments: Json
    id: str = field(compare=False)


@dataclass(frozen=True)
class Asked:
    """Something to say, at most `limit` tokens of it and up to `stop`, or with the tool a call.

    `called` has its result already; `later` comes after instructions and other turns; `schema` wants an object.
    """

    words: int = 1
    limit: int = 20
    tool: bool = False
    called: ToolCall | None = None
    later: bool = False
    stop: str | None = None
    schema: bool = False

    @property
    def prompt(self) -> Json:
        return {"role": "user", "content": " ".join([_WORD] * self.words)}


@dataclass
class Heard:
    """`finish` is in the words of chat completions, `usage` what was read and made, `pieces` the stream's deltas."""

    text: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    finish: str = ""
    usage: tuple[int, int] = (0, 0)
    pieces: list[str] = field(default_factory=list, compare=False)


def _http() -> DefaultAsyncHttpxClient:
    """Does not read the certificates of all the world, which takes longer than most answers here."""
    return DefaultAsyncHttpxClient(verify=False, timeout=60)


class Door(ABC):
    """A client of a gateway, or of the server itself."""

    endpoint: ClassVar[str]

    @abstractmethod
    def body(self, model: str, asked: Asked) -> Json: ...

    @abstractmethod
    async def plain(self, model: str, asked: Asked) -> Heard: ...

    @abstractmethod
    def stream(self, model: str, asked: Asked, heard: Heard) -> AsyncIterator[str]:
        """Each piece of a text or of a call's arguments as it comes; `heard` is all of it in the end."""

    @abstractmethod
    async def close(self) -> None: ...

    async def streamed(self, model: str, asked: Asked) -> Heard:
        heard = Heard()
        heard.pieces = [piece async for piece in self.stream(model, asked, heard)]
        return heard


class Chat(Door):
    endpoint = "chat/completions"

    def __init__(self, url: str) -> None:
        self._sdk = AsyncOpenAI(api_key=KEY, base_url=url, max_retries=0, http_client=_http())

    async def close(self) -> None:
        await self._sdk.close()

    def body(self, model: str, asked: Asked) -> Json:
        body: Json = {"model": model, "messages": [asked.prompt], "max_tokens": asked.limit, "temperature": 0}
        if asked.tool:
            tool = {"type": "function", "function": {"name": _TOOL, "parameters": _SCHEMA}}
            body |= {"tools": [tool], "tool_choice": "required", "parallel_tool_calls": False}
        if (called := asked.called) is not None:
            function = {"name": called.name, "arguments": json.dumps(called.arguments)}
            call = {"id": called.id, "type": "function", "function": function}
            result = {"role": "tool", "tool_call_id": called.id, "content": _RESULT}
            body["messages"] = [asked.prompt, {"role": "assistant", "content": None, "tool_calls": [call]}, result]
        if asked.later:
            body["messages"] = [{"role": "system", "content": _SYSTEM}, *_EARLIER, *body["messages"]]
        if asked.stop is not None:
            body["stop"] = [asked.stop]
        if asked.schema:
            schema = {"name": "place", "schema": _SCHEMA, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    async def plain(self, model: str, asked: Asked) -> Heard:
        answer = await self._sdk.chat.completions.create(**self.body(model, asked))
        message, finish = answer.choices[0].message, answer.choices[0].finish_reason
        told = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or []]
        calls = [ToolCall(name, json.loads(arguments), call_id) for call_id, name, arguments in told]
        return Heard(message.content or "", calls, finish, _chat_usage(answer.usage))

    async def stream(self, model: str, asked: Asked, heard: Heard) -> AsyncIterator[str]:
        usage = {"include_usage": True}
        body, told = self.body(model, asked), []
        async with await self._sdk.chat.completions.create(**body, stream=True, stream_options=usage) as chunks:
            async for chunk in chunks:
                if chunk.usage is not None:
                    heard.usage = _chat_usage(chunk.usage)
                for choice in chunk.choices:
                    heard.finish = choice.finish_reason or heard.finish
                    if choice.delta.content:
                        heard.text += choice.delta.content
                        yield choice.delta.content
                    for call in choice.delta.tool_calls or []:
                        if call.id:
                            told.append([call.id, call.function.name, ""])
                        if call.function.arguments:
                            told[-1][2] += call.function.arguments
                            yield call.function.arguments
        heard.calls = [ToolCall(name, json.loads(arguments), call_id) for call_id, name, arguments in told]


class Responses(Door):
    endpoint = "responses"

    def __init__(self, url: str) -> None:
        self._sdk = AsyncOpenAI(api_key=KEY, base_url=url, max_retries=0, http_client=_http())

    async def close(self) -> None:
        await self._sdk.close()

    def body(self, model: str, asked: Asked) -> Json:
        body: Json = {"model": model, "input": [asked.prompt], "max_output_tokens": asked.limit, "temperature": 0}
        if asked.tool:
            tool = {"type": "function", "name": _TOOL, "parameters": _SCHEMA, "strict": False}
            body |= {"tools": [tool], "tool_choice": "required", "parallel_tool_calls": False}
        if (called := asked.called) is not None:
            call = {"type": "function_call", "call_id": called.id, "name": called.name}
            result = {"type": "function_call_output", "call_id": called.id, "output": _RESULT}
            body["input"] = [asked.prompt, {**call, "arguments": json.dumps(called.arguments)}, result]
        if asked.later:
            asking, answering = _EARLIER
            # Of an assistant's turn this server understands the long form alone.
            part = {"type": "output_text", "text": answering["content"], "annotations": []}
            answer = {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "content": [part]}
            body |= {"instructions": _SYSTEM, "input": [asking, answer, *body["input"]]}
        if asked.schema:
            body["text"] = {"format": {"type": "json_schema", "name": "place", "schema": _SCHEMA, "strict": True}}
        return body

    async def plain(self, model: str, asked: Asked) -> Heard:
        return _read_response(await self._sdk.responses.create(**self.body(model, asked)))

    async def stream(self, model: str, asked: Asked, heard: Heard) -> AsyncIterator[str]:
        async with await self._sdk.responses.create(**self.body(model, asked), stream=True) as events:
            async for event in events:
                match event.type:
                    case "response.output_text.delta" | "response.function_call_arguments.delta":
                        yield event.delta
                    case "response.completed" | "response.incomplete":
                        told = _read_response(event.response)
                        heard.text, heard.calls = told.text, told.calls
                        heard.finish, heard.usage = told.finish, told.usage

    async def accumulated(self, model: str, asked: Asked) -> Heard:
        """A stream as the SDK itself puts it together."""
        async with self._sdk.responses.stream(**self.body(model, asked)) as events:
            told = [event async for event in events]
        assert told[-1].type in ("response.completed", "response.incomplete")
        return _read_response(told[-1].response)


class Messages(Door):
    endpoint = "messages"

    def __init__(self, url: str) -> None:
        self._sdk = AsyncAnthropic(api_key=KEY, base_url=url.removesuffix("/v1"), max_retries=0, http_client=_http())

    async def close(self) -> None:
        await self._sdk.close()

    def body(self, model: str, asked: Asked) -> Json:
        body: Json = {"model": model, "messages": [asked.prompt], "max_tokens": asked.limit}
        body["extra_body"] = {"temperature": 0}  # which this SDK does not know any more
        if asked.tool:
            body["tools"] = [{"name": _TOOL, "input_schema": _SCHEMA}]
            body["tool_choice"] = {"type": "any", "disable_parallel_tool_use": True}
        if (called := asked.called) is not None:
            call = {"type": "tool_use", "id": called.id, "name": called.name, "input": called.arguments}
            result = {"type": "tool_result", "tool_use_id": called.id, "content": _RESULT}
            body["messages"] = [
                asked.prompt,
                {"role": "assistant", "content": [call]},
                {"role": "user", "content": [result]},
            ]
        if asked.later:
            body |= {"system": _SYSTEM, "messages": [*_EARLIER, *body["messages"]]}
        if asked.stop is not None:
            body["stop_sequences"] = [asked.stop]
        if asked.schema:
            body["output_config"] = {"format": {"type": "json_schema", "schema": _SCHEMA}}
        return body

    async def plain(self, model: str, asked: Asked) -> Heard:
        return _read_message(await self._sdk.messages.create(**self.body(model, asked)))

    async def stream(self, model: str, asked: Asked, heard: Heard) -> AsyncIterator[str]:
        async with self._sdk.messages.stream(**self.body(model, asked)) as events:
            async for event in events:
                if event.type == "content_block_delta":
                    piece = event.delta.partial_json if event.delta.type == "input_json_delta" else event.delta.text
                    if piece:
                        yield piece
            told = _read_message(await events.get_final_message())
            heard.text, heard.calls, heard.finish, heard.usage = told.text, told.calls, told.finish, told.usage

    async def count(self, model: str) -> int:
        return (await self._sdk.messages.count_tokens(model=model, messages=[Asked().prompt])).input_tokens


DOORS: Mapping[str, type[Chat | Responses | Messages]] = {"chat": Chat, "responses": Responses, "messages": Messages}
_STOPS = {"end_turn": "stop", "max_tokens": "length", "tool_use": "tool_calls"}


def _chat_usage(usage: Any) -> tuple[int, int]:
    return usage.prompt_tokens, usage.completion_tokens


def _read_response(response: Response) -> Heard:
    calls = [
        ToolCall(item.name, json.loads(item.arguments), item.call_id)
        for item in response.output
        if item.type == "function_call"
    ]
    finish = "tool_calls" if calls else "length" if response.status == "incomplete" else "stop"
    return Heard(response.output_text, calls, finish, (response.usage.input_tokens, response.usage.output_tokens))


def _read_message(message: Message) -> Heard:
    text = "".join(block.text for block in message.content if block.type == "text")
    calls = [ToolCall(block.name, block.input, block.id) for block in message.content if block.type == "tool_use"]
    usage = message.usage
    read = usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    return Heard(text, calls, _STOPS[message.stop_reason], (read, usage.output_tokens))
