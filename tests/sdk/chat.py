"""What the tests of the SDKs ask for, and how the one for Python is read."""

from typing import Any

from openai import AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletionChunk

HI: Any = [{"role": "user", "content": "hi"}]
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]

# Streams that break after some events, and the code that the client is told.
BROKEN = [
    ("first/fault-reset-mid", "upstream_interrupted"),
    ("first/fault-close-mid", "upstream_interrupted"),
    ("first/fault-truncated", "upstream_interrupted"),
    ("first/fault-cut-event", "upstream_interrupted"),
    ("stalling", "upstream_timeout"),
    ("first/fault-error-mid", "server_error"),
]


async def ask(client: AsyncOpenAI, model: str, **more: Any) -> AsyncStream[ChatCompletionChunk]:
    return await client.chat.completions.create(model=model, messages=HI, stream=True, **more)


async def read(stream: AsyncStream[ChatCompletionChunk]) -> list[ChatCompletionChunk]:
    return [chunk async for chunk in stream]


async def read_into(chunks: list[ChatCompletionChunk], stream: AsyncStream[ChatCompletionChunk]) -> None:
    async for chunk in stream:
        chunks.append(chunk)  # so that they are there when it raises


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
