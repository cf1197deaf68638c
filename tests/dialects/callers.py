"""The front doors as their callers use them: what they send, and what they make of an answer."""

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from tests.dialects.providers import TOOL, Json

_PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_DATA = "data:image/png;base64,iVBORw0KGgo="


@dataclass
class Heard:
    """An answer, whatever words it came in; `usage` is what was read, and made."""

    text: str
    calls: list[tuple[str, Json]]
    usage: tuple[int, int]


@dataclass(frozen=True)
class Event:
    name: str
    data: Any


def events_of(body: bytes) -> list[Event]:
    """Each has one `data:` line, and an end."""
    assert body.endswith(b"\n\n"), body[-100:]
    told = []
    for raw in body.decode().split("\n\n")[:-1]:
        lines = dict(line.split(": ", 1) for line in raw.split("\n"))
        data = lines["data"]
        told.append(Event(lines.get("event", ""), data if data == "[DONE]" else json.loads(data)))
    return told


def last_event(body: bytes) -> Event:
    """Also behind what is no whole event."""
    return events_of(body[body[:-2].rfind(b"\n\n") + 2 :] if b"\n\n" in body[:-2] else body)[-1]


class Caller(ABC):
    """How a schema's callers ask and listen."""

    path: ClassVar[str]

    @abstractmethod
    def body(self, model: str, **fields: object) -> Json:
        """Says hi."""

    @property
    @abstractmethod
    def tools(self) -> list[Json]:
        """The one tool."""

    @property
    @abstractmethod
    def image(self) -> Json:
        """Fields that show one."""

    @abstractmethod
    def read(self, answer: Json) -> Heard: ...

    @abstractmethod
    def read_stream(self, body: bytes) -> Heard:
        """Of one that is whole, as its schema has it."""

    @abstractmethod
    def read_error(self, answer: Json) -> tuple[str, str]:
        """Its type and message, of an answer that has the schema's shape."""

    @abstractmethod
    def read_break(self, body: bytes) -> tuple[str, str]:
        """Type, or code, and message of the error that ends a stream."""


class Chat(Caller):
    path = "/v1/chat/completions"

    def body(self, model: str, **fields: object) -> Json:
        return {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 64, **fields}

    @property
    def tools(self) -> list[Json]:
        return [{"type": "function", "function": {"name": TOOL, "parameters": _PARAMETERS}}]

    @property
    def image(self) -> Json:
        part = {"type": "image_url", "image_url": {"url": _DATA}}
        return {"messages": [{"role": "user", "content": [part]}]}

    def read(self, answer: Json) -> Heard:
        assert answer["object"] == "chat.completion"
        [choice] = answer["choices"]
        calls = choice["message"].get("tool_calls") or []
        assert choice["finish_reason"] == ("tool_calls" if calls else "stop")
        told = [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]
        return Heard(choice["message"]["content"] or "", told, _chat_usage(answer["usage"]))

    def read_stream(self, body: bytes) -> Heard:
        *events, last = events_of(body)
        assert last.data == "[DONE]"
        assert not any(event.name for event in events)
        usage = [event.data["usage"] for event in events if event.data.get("usage")]
        choices = [choice for event in events for choice in event.data["choices"]]
        deltas = [choice["delta"] for choice in choices]
        text = "".join(delta.get("content") or "" for delta in deltas)
        pieces = [call["function"] for delta in deltas for call in delta.get("tool_calls") or ()]
        names = [piece["name"] for piece in pieces if piece.get("name")]
        arguments = "".join(piece.get("arguments") or "" for piece in pieces)
        assert choices[-1]["finish_reason"] == ("tool_calls" if names else "stop")
        return Heard(text, [(name, json.loads(arguments)) for name in names], _chat_usage(usage[-1]))

    def read_error(self, answer: Json) -> tuple[str, str]:
        assert answer.keys() == {"error"}
        assert answer["error"].keys() == {"message", "type", "param", "code"}
        return answer["error"]["type"], answer["error"]["message"]

    def read_break(self, body: bytes) -> tuple[str, str]:
        event = last_event(body)
        assert not event.name
        return event.data["error"]["type"], event.data["error"]["message"]


class Messages(Caller):
    path = "/v1/messages"

    def body(self, model: str, **fields: object) -> Json:
        return {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}], **fields}

    @property
    def tools(self) -> list[Json]:
        return [{"name": TOOL, "input_schema": _PARAMETERS}]

    @property
    def image(self) -> Json:
        source = {"type": "base64", "media_type": "image/png", "data": _DATA.partition(",")[2]}
        return {"messages": [{"role": "user", "content": [{"type": "image", "source": source}]}]}

    def read(self, answer: Json) -> Heard:
        assert (answer["type"], answer["role"]) == ("message", "assistant")
        blocks = answer["content"]
        text = "".join(block["text"] for block in blocks if block["type"] == "text")
        calls = [(block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]
        assert answer["stop_reason"] == ("tool_use" if calls else "end_turn")
        return Heard(text, calls, _messages_usage(answer["usage"]))

    def read_stream(self, body: bytes) -> Heard:
        events = events_of(body)
        assert [event.name for event in events] == [event.data["type"] for event in events]
        assert events[-1].name == "message_stop"
        message: Json = events[0].data["message"]
        content: list[Json] = []
        for event in events[1:]:
            data = event.data
            match event.name:
                case "content_block_start":
                    assert data["index"] == len(content)
                    content.append({**data["content_block"], "input": ""})
                case "content_block_delta":
                    delta, block = data["delta"], content[data["index"]]
                    for name, piece in (("text", "text"), ("input", "partial_json")):
                        block[name] = block.get(name, "") + delta.get(piece, "")
                case "message_delta":
                    message |= data["delta"]
                    message["usage"] |= data["usage"]
        for block in content:
            block["input"] = json.loads(block["input"] or "{}")
        return self.read({**message, "content": content})

    def read_error(self, answer: Json) -> tuple[str, str]:
        assert answer.keys() == {"type", "error", "request_id"}
        assert (answer["type"], answer["error"].keys()) == ("error", {"type", "message"})
        return answer["error"]["type"], answer["error"]["message"]

    def read_break(self, body: bytes) -> tuple[str, str]:
        event = last_event(body)
        assert (event.name, event.data["type"]) == ("error", "error")
        return event.data["error"]["type"], event.data["error"]["message"]


class Responses(Caller):
    path = "/v1/responses"

    def body(self, model: str, **fields: object) -> Json:
        return {"model": model, "input": "hi", "max_output_tokens": 64, **fields}

    @property
    def tools(self) -> list[Json]:
        return [{"type": "function", "name": TOOL, "parameters": _PARAMETERS, "strict": True}]

    @property
    def image(self) -> Json:
        part = {"type": "input_image", "image_url": _DATA, "detail": "auto"}
        return {"input": [{"role": "user", "content": [part]}]}

    def read(self, answer: Json) -> Heard:
        assert (answer["object"], answer["status"]) == ("response", "completed")
        items = answer["output"]
        parts = [part for item in items if item["type"] == "message" for part in item["content"]]
        calls = [item for item in items if item["type"] == "function_call"]
        usage = answer["usage"]
        return Heard(
            "".join(part["text"] for part in parts),
            [(call["name"], json.loads(call["arguments"])) for call in calls],
            (usage["input_tokens"], usage["output_tokens"]),
        )

    def read_stream(self, body: bytes) -> Heard:
        events = events_of(body)
        assert [event.name for event in events] == [event.data["type"] for event in events]
        assert events[-1].name == "response.completed"
        assert [event.data["sequence_number"] for event in events] == [*range(len(events))]
        heard = self.read(events[-1].data["response"])
        deltas = [event.data["delta"] for event in events if event.name.endswith(".delta")]
        said = "".join(deltas)
        assert heard.text == said if heard.text else heard.calls[0][1] == json.loads(said)
        return heard

    read_error = Chat.read_error

    def read_break(self, body: bytes) -> tuple[str, str]:
        event = last_event(body)
        assert event.name == event.data["type"]
        if event.name == "response.failed":
            error = event.data["response"]["error"]
            return error["code"], error["message"]
        assert event.name == "error"
        return event.data["code"], event.data["message"]


def _chat_usage(usage: Json) -> tuple[int, int]:
    return usage["prompt_tokens"], usage["completion_tokens"]


def _messages_usage(usage: Json) -> tuple[int, int]:
    read = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return sum(usage.get(name) or 0 for name in read), usage["output_tokens"]


CHAT, MESSAGES, RESPONSES = Chat(), Messages(), Responses()
CALLERS: tuple[Caller, ...] = (CHAT, MESSAGES, RESPONSES)
