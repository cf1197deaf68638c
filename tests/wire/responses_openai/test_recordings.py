import contextlib
import json

from gateway.core.errors import Inexpressible
from gateway.wire.responses_openai import ResponsesOpenAI
from tests.recordings import recorded
from tests.wire.responses_openai.examples import MODEL
from tests.wire.responses_openai.sdk import Json, check_response, chunks_of, client, response_of, written


def _texts(output: list[Json]) -> str:
    parts = [part for item in output if item["type"] == "message" for part in item["content"]]
    return "".join(part.get("text", "") for part in parts)


def _calls(output: list[Json]) -> list[tuple[str, object]]:
    return [(item["name"], json.loads(item["arguments"])) for item in output if item["type"] == "function_call"]


def _said(message: Json) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _streamed_calls(deltas: list[Json]) -> list[tuple[str, object]]:
    calls: dict[int, list[str]] = {}
    for call in (call for delta in deltas for call in delta.get("tool_calls") or ()):
        name, arguments = calls.setdefault(call.get("index", len(calls)), ["", ""])
        function = call["function"]
        calls[call.get("index", 0)] = [
            name or function.get("name") or "",
            arguments + (function.get("arguments") or ""),
        ]
    return [(name, json.loads(arguments or "{}")) for name, arguments in calls.values()]


def test_recorded_answers_come_out_as_they_were() -> None:
    for one in recorded("chat", stream=False):
        chat = json.loads(one.body)
        if not chat.get("choices"):
            continue
        response = ResponsesOpenAI().answer(chat, MODEL)
        check_response(response)
        message = chat["choices"][0]["message"]
        assert _texts(response["output"]) == _said(message), one.id
        calls = [call["function"] for call in message.get("tool_calls") or ()]
        assert _calls(response["output"]) == [(f["name"], json.loads(f["arguments"])) for f in calls], one.id
        assert (response["status"] == "completed") == (chat["choices"][0]["finish_reason"] != "length"), one.id
        if usage := chat.get("usage"):
            assert response["usage"]["input_tokens"] == usage["prompt_tokens"], one.id
            assert response["usage"]["total_tokens"] == usage["total_tokens"], one.id


def test_recorded_streams_come_out_as_they_were() -> None:
    for one in recorded("chat", stream=True):
        chunks = [chunk for chunk in chunks_of(one.body) if "error" not in chunk]
        events = written(chunks)
        response = response_of(events)
        deltas = [chunk["choices"][0].get("delta") or {} for chunk in chunks if chunk.get("choices")]
        assert _texts(response["output"]) == "".join(_said(delta) for delta in deltas), one.id
        assert _calls(response["output"]) == _streamed_calls(deltas), one.id
        usages = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
        assert (response["usage"] or {}).get("total_tokens") == (usages[-1]["total_tokens"] if usages else None), one.id
        with client(events).responses.stream(model="m", input="Hi") as stream:
            stream.until_done()


def test_recorded_requests_are_translated() -> None:
    for stream in (True, False):
        for one in recorded("responses", stream=stream):
            if one.request:
                assert ResponsesOpenAI().request(one.asked).body["messages"], one.id


def test_what_a_recorded_answer_held_is_sent_back_or_refused() -> None:
    for one in recorded("responses", stream=False):
        output = json.loads(one.body).get("output") or []
        with contextlib.suppress(Inexpressible):
            body = ResponsesOpenAI().request({"model": "m", "input": [{"role": "user", "content": "Hi"}, *output]}).body
            assert body["messages"], one.id
