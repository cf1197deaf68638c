"""OpenAI's SDK reads what is written, over its own transport seam."""

import json
from typing import Any

import httpx2
import openai
import pydantic
from openai.types.responses import Response, ResponseStreamEvent

from gateway.wire.events import Event, Framing
from gateway.wire.responses_openai import ResponsesOpenAI

Json = dict[str, Any]

_EVENTS = pydantic.TypeAdapter[Any](ResponseStreamEvent)


def client(events: list[Event]) -> openai.OpenAI:
    body = b"".join(event.encode() for event in events)

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)

    transport = httpx2.Client(transport=httpx2.MockTransport(answer))
    return openai.OpenAI(api_key="k", base_url="http://gateway/v1", http_client=transport, max_retries=0)


def check_events(events: list[Event]) -> None:
    """Each as strictly as its type has it; names and numbers besides."""
    assert [event.data["sequence_number"] for event in events] == list(range(len(events)))
    for event in events:
        assert event.name == event.data["type"]
        _EVENTS.validate_python(json.loads(json.dumps(event.data)))


def check_response(response: Json) -> Response:
    return Response.model_validate(json.loads(json.dumps(response)))


def chunk(delta: Json | None = None, **more: object) -> Json:
    """Of a chat stream; `finish` is its finish reason."""
    finish = more.pop("finish", None)
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "remote"}
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {**head, "choices": choices, **more}


USAGE: Json = {
    "prompt_tokens": 10,
    "completion_tokens": 4,
    "total_tokens": 14,
    "prompt_tokens_details": {"cached_tokens": 6, "cache_write_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 3},
}


def written(chunks: list[Json], asked: Json | None = None) -> list[Event]:
    """A whole stream, which is what the SDK takes it for."""
    writer = ResponsesOpenAI().writer(asked or {"model": "m", "input": "Hi"})
    events = [event for one in chunks for event in writer.write(one)] + writer.end()
    check_events(events)
    check_response(events[-1].data["response"])
    return events


def response_of(events: list[Event]) -> Json:
    response: Json = events[-1].data["response"]
    return response


def chunks_of(body: bytes) -> list[Json]:
    framing = Framing()
    return [json.loads(e.data) for e in framing.feed(body) + framing.end() if e.data and e.data != b"[DONE]"]
