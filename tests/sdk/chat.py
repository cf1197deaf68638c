"""What the tests of the SDK for Python ask for, and how they read it."""

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


async def ask(client: AsyncOpenAI, model: str, **more: Any) -> AsyncStream[ChatCompletionChunk]:
    return await client.chat.completions.create(model=model, messages=HI, stream=True, **more)


async def read(stream: AsyncStream[ChatCompletionChunk]) -> list[ChatCompletionChunk]:
    return [chunk async for chunk in stream]


async def read_into(chunks: list[ChatCompletionChunk], stream: AsyncStream[ChatCompletionChunk]) -> None:
    async for chunk in stream:
        chunks.append(chunk)  # so that they are there when it raises


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
