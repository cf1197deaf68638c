"""A chat completion to another schema and back, plain and streamed: nothing of the answer is lost."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.call import Endpoint
from gateway.wire.anthropic_openai import AnthropicOpenAI
from gateway.wire.openai_anthropic import OpenAIAnthropic
from gateway.wire.openai_responses import OpenAIResponses
from gateway.wire.responses_openai import ResponsesOpenAI
from gateway.wire.translation import CallerTranslation, UpstreamTranslation
from tests.recordings import recorded
from tests.wire.pairings import ASKED, data_of
from tests.wire.steady import steady

Json = dict[str, Any]
Way = tuple[CallerTranslation, UpstreamTranslation, Json]

MESSAGES: Way = AnthropicOpenAI(), OpenAIAnthropic(), ASKED[Endpoint.MESSAGES]
RESPONSES: Way = ResponsesOpenAI(), OpenAIResponses(), ASKED[Endpoint.RESPONSES]
ways = pytest.mark.parametrize("way", [pytest.param(MESSAGES, id="messages"), pytest.param(RESPONSES, id="responses")])

USAGE = {
    "prompt_tokens": 90,
    "completion_tokens": 30,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 20},
    "completion_tokens_details": {"reasoning_tokens": 25},
}
CALLS = [
    {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a":"b"}'}},
    {"id": "t2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
]
THOUGHT = {"type": "reasoning.text", "text": "Hm.", "signature": "c2ln", "format": "anthropic-claude-v1"}


def completion(finish: str = "stop", usage: Json | None = USAGE, **message: Any) -> Json:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion", "created": 7, "model": "m", "choices": [choice], "usage": usage}


def told(answer: Json) -> Json:
    """What a chat caller acts on."""
    (choice,) = answer["choices"]
    message = choice["message"]
    calls = message.get("tool_calls") or []
    return {
        "model": answer["model"],
        "finish": choice["finish_reason"],
        "content": message.get("content") or "",
        "refusal": message.get("refusal") or "",
        "calls": [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in calls],
        "thought": message.get("reasoning_content") or "",
        "usage": answer.get("usage"),
    }


def back(way: Way, answer: Json) -> Json:
    caller, upstream, asked = way
    return upstream.answer(caller.answer(answer, asked))


@ways
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(completion(content="Hello ä"), id="text"),
        pytest.param(completion("length", content="Hel"), id="cut off"),
        pytest.param(completion("tool_calls", content=None, tool_calls=CALLS), id="calls"),
        pytest.param(completion("tool_calls", content="Well.", tool_calls=CALLS[:1]), id="text and a call"),
        pytest.param(completion(content="So.", reasoning_content="Hm."), id="reasoning"),
        pytest.param(completion(content="Hi", usage={**USAGE, "prompt_tokens_details": None}), id="nothing cached"),
    ],
)
def test_a_plain_answer_comes_back(way: Way, answer: Json) -> None:
    found, given_ = told(back(way, answer)), told(answer)
    for side in (found, given_):
        side["usage"] = counted(side["usage"])
    if way is MESSAGES:
        for side in (found, given_):
            side["usage"] = side["usage"][:4]  # It does not tell tokens of thought apart.
    assert found == given_


def counted(usage: Json | None) -> tuple[int, ...]:
    if usage is None:
        return ()
    read, made = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    return (
        usage["prompt_tokens"],
        usage["completion_tokens"],
        read.get("cached_tokens") or 0,
        read.get("cache_write_tokens") or 0,
        made.get("reasoning_tokens") or 0,
    )


def test_signed_thoughts_come_back_from_messages_for_the_next_turn() -> None:
    answer = completion(content="So.", reasoning_content="Hm.", reasoning_details=[THOUGHT])
    assert back(MESSAGES, answer)["choices"][0]["message"]["reasoning_details"] == [THOUGHT]


def streamed(answer: Json, sizes: list[int]) -> list[Json]:
    """The chunks of an answer, its texts in pieces of these sizes."""
    (choice,) = answer["choices"]
    message = choice["message"]
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 7, "model": "m"}
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": one} for one in pieces(message.get("reasoning_content") or "", sizes)]
    deltas += [{"content": one} for one in pieces(message.get("content") or "", sizes)]
    for index, call in enumerate(message.get("tool_calls") or ()):
        function = call["function"]
        begun = {"index": index, **call, "function": {"name": function["name"], "arguments": ""}}
        deltas.append({"tool_calls": [begun]})
        for one in pieces(function["arguments"], sizes):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": one}}]})
    chunks = [{**head, "choices": [{"index": 0, "delta": one, "finish_reason": None}]} for one in deltas]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    return [*chunks, {**head, "choices": [], "usage": answer["usage"]}]


def pieces(text: str, sizes: list[int]) -> list[str]:
    found = []
    for size in sizes:
        found.append(text[:size])
        text = text[size:]
    return [one for one in [*found, text] if one]


def folded(chunks: list[Json]) -> Json:
    """The answer that a chat caller puts together."""
    message: Json = {"content": "", "reasoning_content": ""}
    calls: dict[int, Json] = {}
    finish, usage = None, None
    for chunk in chunks:
        usage = chunk.get("usage") or usage
        for choice in chunk["choices"]:
            delta, finish = choice["delta"], choice.get("finish_reason") or finish
            message["content"] += delta.get("content") or ""
            message["reasoning_content"] += delta.get("reasoning_content") or ""
            for call in delta.get("tool_calls") or ():
                known = calls.setdefault(call.get("index", len(calls)), {"id": "", "name": "", "arguments": ""})
                known["id"] += call.get("id") or ""
                for name, text in call["function"].items():
                    known[name] += text or ""
    message["tool_calls"] = [{"id": one.pop("id"), "function": one} for one in calls.values()]
    return {"model": chunks[-1]["model"], "choices": [{"message": message, "finish_reason": finish}], "usage": usage}


def stream_back(way: Way, chunks: list[Json]) -> list[Json]:
    caller, upstream, asked = way
    writer, reader = caller.writer(asked), upstream.reader()
    events = [event for chunk in chunks for event in writer.write(chunk)] + writer.end()
    found = [chunk for event in events for chunk in reader.read(event.name, data_of(event.encode())[0])] + reader.end()
    assert reader.done
    return found


texts = st.text(max_size=20)


@ways
@steady
@given(
    texts,
    texts,
    st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2), max_size=2),
    st.lists(st.integers(1, 9), max_size=4),
)
def test_a_streamed_answer_comes_back(
    way: Way, content: str, thought: str, arguments: list[Json], sizes: list[int]
) -> None:
    calls = [
        {"id": f"t{i}", "type": "function", "function": {"name": "f", "arguments": as_json(one)}}
        for i, one in enumerate(arguments)
    ]
    finish = "tool_calls" if calls else "stop"
    answer = completion(finish, content=content, reasoning_content=thought, tool_calls=calls)
    found = told(folded(stream_back(way, streamed(answer, sizes))))
    expected = told(answer)
    for side in (found, expected):
        side["usage"] = counted(side["usage"])[:4]
    assert found == expected


def as_json(value: Json) -> str:
    return "{" + ",".join(f"{quoted(name)}:{quoted(one)}" for name, one in value.items()) + "}"


def quoted(text: str) -> str:
    escaped = "".join(f"\\u{ord(one):04x}" if one < " " or one in '"\\' else one for one in text)
    return f'"{escaped}"'


@ways
def test_recorded_answers_come_back(way: Way) -> None:
    """Without recordings there is nothing to look at."""
    for one in recorded("chat", stream=True):
        chunks = [data for data in data_of(one.body + b"\n\n") if "error" not in data]
        if not chunks or not all(is_plain(choice) for chunk in chunks for choice in chunk["choices"]):
            continue
        expected, found = told(folded(chunks)), told(folded(stream_back(way, chunks)))
        assert found["content"] == expected["content"], one.id
        assert [call[1:] for call in found["calls"]] == [call[1:] for call in expected["calls"]], one.id
        assert found["finish"] == expected["finish"] or expected["calls"], one.id
        assert counted(found["usage"])[:2] in ((0, 0), counted(expected["usage"])[:2]), one.id


def is_plain(choice: Json) -> bool:
    """The first one, in texts: what the other schemas have."""
    return not choice.get("index") and isinstance(choice["delta"].get("content"), str | None)
