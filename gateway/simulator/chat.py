"""Chat completions: a request, and the healthy answer to it, plain or as events."""

import itertools
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import msgspec

from gateway.simulator.answer import event
from gateway.simulator.pace import Pace
from gateway.simulator.tools import NamedTool, Tool, ToolCall, example, forced

_TOKEN = re.compile(r"\s*\S+")
_MESSAGE_OVERHEAD = 3  # tokens that OpenAI counts for a message's role and frame
_serial = itertools.count(1)


class Part(msgspec.Struct):
    text: str = ""


class Message(msgspec.Struct):
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return " ".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class ChatRequest(msgspec.Struct):
    """The fields that decide the answer; every other is ignored."""

    model: str
    messages: list[Message]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    tools: list[Tool] | None = None
    tool_choice: str | NamedTool | None = None

    def __post_init__(self) -> None:
        if not self.messages:
            raise ValueError("Expected at least one message - at `$.messages`")
        if not 1 <= self.choices <= 128:
            raise ValueError("Expected `int` from 1 to 128 - at `$.n`")
        if self.limit is not None and self.limit < 1:
            raise ValueError("Expected `int` >= 1 - at `$.max_tokens`")

    @property
    def choices(self) -> int:
        return 1 if self.n is None else self.n

    @property
    def limit(self) -> int | None:
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens


def count_tokens(text: str) -> int:
    """A word is a token here."""
    return len(_TOKEN.findall(text))


def greeting(model: str, upstream: str) -> str:
    """About 40 tokens."""
    return (
        f"Hello! This is {upstream}, a simulated provider, and you asked it for {model}. "
        "Every word here is one token of a stream: nothing was thought, nothing was billed, "
        "and nothing ever left your own machine. Ask me again, I never tire."
    )


@dataclass(frozen=True, slots=True)
class Completion:
    """A healthy answer, and what the faults are made from. Each of `n` choices says the same `tokens`."""

    model: str
    upstream: str
    tokens: tuple[str, ...]
    pace: Pace
    finish_reason: str = "stop"
    stream: bool = False
    include_usage: bool = False
    n: int = 1
    prompt_tokens: int = 1
    tool: ToolCall | None = None
    id: str = field(default_factory=lambda: f"chatcmpl-sim{next(_serial):024x}")
    created: int = field(default_factory=lambda: int(time.time()))

    @classmethod
    def of(cls, request: ChatRequest, upstream: str, pace: Pace) -> "Completion":
        """Raises LookupError for a forced tool that is not declared."""
        call = _call(request)
        words = tuple(_TOKEN.findall(greeting(request.model, upstream)))
        tokens = words if pace.tokens is None else _cycled(words, pace.tokens)
        cut = call is None and request.limit is not None and request.limit < len(tokens)
        return cls(
            model=request.model,
            upstream=upstream,
            tokens=tokens[: request.limit] if cut else tokens,
            pace=pace,
            finish_reason="tool_calls" if call else "length" if cut else "stop",
            stream=bool(request.stream),
            include_usage=bool(request.stream_options and request.stream_options.include_usage),
            n=request.choices,
            prompt_tokens=sum(count_tokens(m.text) + _MESSAGE_OVERHEAD for m in request.messages),
            tool=call,
        )

    @property
    def text(self) -> str:
        return "".join(self.tokens)

    @property
    def completion_tokens(self) -> int:
        return self.n * len(self.tool.pieces if self.tool else self.tokens)

    @property
    def usage(self) -> dict[str, object]:
        total = self.prompt_tokens + self.completion_tokens
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": total,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        }

    def plain(self) -> dict[str, object]:
        message: dict[str, object] = {"role": "assistant", "content": self.text, "refusal": None}
        if self.tool:
            function = {"name": self.tool.name, "arguments": self.tool.arguments}
            message |= {"content": None, "tool_calls": [{"id": self.tool.id, "type": "function", "function": function}]}
        choice = {"message": message, "logprobs": None, "finish_reason": self.finish_reason}
        return {
            **self._frame("chat.completion"),
            "choices": [{"index": index, **choice} for index in range(self.n)],
            "usage": self.usage,
        }

    def events(self) -> Iterator[bytes]:
        """As OpenAI streams: the role, the content, the finish reason, the usage if it was asked for; no `[DONE]`."""
        begin, end = self._around()
        indexes = [b"%d" % index for index in range(self.n)]
        for delta in self._deltas():
            for index in indexes:
                yield b'%b%b,"delta":%b,"logprobs":null,"finish_reason":null%b' % (begin, index, delta, end)
        reason = msgspec.json.encode(self.finish_reason)
        for index in indexes:
            yield b'%b%b,"delta":{},"logprobs":null,"finish_reason":%b%b' % (begin, index, reason, end)
        if self.include_usage:
            yield self.usage_event()

    def usage_event(self) -> bytes:
        return event({**self._frame("chat.completion.chunk"), "choices": [], "usage": self.usage})

    def _deltas(self) -> Iterator[bytes]:
        """As JSON, first the role's."""
        if self.tool is None:
            yield b'{"role":"assistant","content":"","refusal":null}'
            yield from map(_content_delta, self.tokens)
            return
        call = {
            "index": 0,
            "id": self.tool.id,
            "type": "function",
            "function": {"name": self.tool.name, "arguments": ""},
        }
        yield msgspec.json.encode({"role": "assistant", "content": None, "tool_calls": [call]})
        for piece in self.tool.pieces:
            yield msgspec.json.encode({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})

    def _around(self) -> tuple[bytes, bytes]:
        """What every event of this stream begins and ends with."""
        frame = msgspec.json.encode(self._frame("chat.completion.chunk"))
        usage = b',"usage":null' if self.include_usage else b""
        return b'data: %b,"choices":[{"index":' % frame[:-1], b"}]%b}\n\n" % usage

    def _frame(self, kind: str) -> dict[str, object]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": "fp_simulator",
        }


def _call(request: ChatRequest) -> ToolCall | None:
    function = forced(request.tools or (), request.tool_choice)
    if function is None:
        return None
    arguments = msgspec.json.encode(example(function.parameters or {})).decode()
    return ToolCall(f"call_sim{next(_serial):020x}", function.name, arguments)


@lru_cache(maxsize=1024)
def _content_delta(token: str) -> bytes:
    return b'{"content":%b}' % msgspec.json.encode(token)


def _cycled(words: tuple[str, ...], length: int) -> tuple[str, ...]:
    """So many of them, over and over, with a space where a round begins."""
    if length <= len(words):
        return words[:length]
    return tuple(itertools.islice(itertools.chain(words, itertools.cycle((" " + words[0], *words[1:]))), length))
