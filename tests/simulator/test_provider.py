import asyncio
import base64
import json
import struct

import openai
import pytest

from gateway.simulator import Simulator
from gateway.simulator.chat import greeting
from gateway.simulator.pace import Pace

from .wire import Parsed, chat, connected

HELLO = [{"role": "user", "content": "hello there"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer"},
                "unit": {"type": "string", "enum": ["celsius", "kelvin"]},
                "exact": {"type": ["boolean", "null"]},
                "tags": {"type": "array"},
                "near": {"type": "object", "properties": {"lat": {"type": "number"}}},
            },
        },
    },
}
TIME = {"type": "function", "function": {"name": "time"}}
ARGUMENTS = {"city": "example", "days": 1, "unit": "celsius", "exact": True, "tags": [], "near": {"lat": 1}}


@pytest.fixture
async def sim():
    async with Simulator(name="east") as running:
        yield running


@pytest.fixture
async def client(sim):
    async with openai.AsyncOpenAI(base_url=sim.url, api_key="any", max_retries=0, timeout=5) as made:
        yield made


async def asked(sim, body, path="/v1/chat/completions", headers=b""):
    async with connected(sim) as wire:
        await wire.ask(body, path, headers + b"Connection: close\r\n")
        raw, _ = await wire.to_the_end()
        return Parsed(raw)


async def test_a_plain_answer_names_the_model_and_the_upstream(client):
    answer = await client.chat.completions.create(model="any-name", messages=HELLO)
    assert answer.choices[0].message.content == greeting("any-name", "east")
    assert (answer.object, answer.model, answer.choices[0].finish_reason) == ("chat.completion", "any-name", "stop")
    assert answer.id.startswith("chatcmpl-")
    assert answer._request_id.startswith("req_east_")
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (5, 5 + answer.usage.completion_tokens)
    assert 35 <= answer.usage.completion_tokens <= 45


async def test_a_stream_says_the_same_token_by_token(client):
    chunks = [c async for c in await client.chat.completions.create(model="m", messages=HELLO, stream=True)]
    first, *content, last = chunks
    assert first.choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content for c in content) == greeting("m", "east")
    assert 35 <= len(content) <= 45
    assert (last.choices[0].finish_reason, last.choices[0].delta.content) == ("stop", None)
    assert {(c.id, c.object, c.created, c.model) for c in chunks} == {
        (first.id, "chat.completion.chunk", first.created, "m")
    }


async def test_usage_comes_in_a_chunk_of_its_own_if_it_is_asked_for(client):
    options = {"include_usage": True}
    stream = await client.chat.completions.create(model="m", messages=HELLO, stream=True, stream_options=options)
    *chunks, last = [c async for c in stream]
    assert all(c.usage is None for c in chunks)
    assert (last.choices, last.usage.prompt_tokens) == ([], 5)
    assert last.usage.completion_tokens == len(chunks) - 2


async def test_on_the_wire_a_stream_ends_with_done_and_the_terminal_chunk(sim):
    parsed = await asked(sim, chat("m"))
    assert parsed.headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert (parsed.complete, parsed.events[-1]) == (True, b"[DONE]")
    assert b"usage" not in parsed.body


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
async def test_a_token_limit_cuts_the_answer(client, limit):
    answer = await client.chat.completions.create(model="m", messages=HELLO, **{limit: 3})
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("Hello! This is", "length")
    assert answer.usage.completion_tokens == 3


async def test_a_limit_above_the_answer_cuts_nothing(client):
    answer = await client.chat.completions.create(model="m-3tok", messages=HELLO, max_tokens=3)
    assert answer.choices[0].finish_reason == "stop"


async def test_every_choice_is_answered_plain_and_streamed(client):
    answer = await client.chat.completions.create(model="m-2tok", messages=HELLO, n=3)
    assert [(c.index, c.message.content) for c in answer.choices] == [(i, "Hello! This") for i in range(3)]
    assert answer.usage.completion_tokens == 6
    said, reasons = ["", "", ""], ["", "", ""]
    async for chunk in await client.chat.completions.create(model="m-2tok", messages=HELLO, n=3, stream=True):
        (choice,) = chunk.choices
        said[choice.index] += choice.delta.content or ""
        reasons[choice.index] += choice.finish_reason or ""
    assert (said, reasons) == (["Hello! This"] * 3, ["stop"] * 3)


@pytest.mark.parametrize(
    ("choice", "name", "arguments"),
    [
        pytest.param("required", "weather", ARGUMENTS, id="required"),
        pytest.param({"type": "function", "function": {"name": "time"}}, "time", {}, id="by name"),
    ],
)
async def test_a_forced_tool_is_called_with_arguments_that_fit(client, choice, name, arguments):
    asked_for = {"model": "m", "messages": HELLO, "tools": [WEATHER, TIME], "tool_choice": choice}
    answer = await client.chat.completions.create(**asked_for)
    (call,) = answer.choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == (name, arguments)
    assert (answer.choices[0].finish_reason, answer.choices[0].message.content) == ("tool_calls", None)

    async with client.chat.completions.stream(**asked_for) as stream:
        final = (await stream.get_final_completion()).choices[0]
    (call,) = final.message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == (name, arguments)
    assert final.finish_reason == "tool_calls"


async def test_a_tool_that_is_not_forced_is_not_called(client):
    answer = await client.chat.completions.create(model="m", messages=HELLO, tools=[WEATHER], tool_choice="auto")
    assert answer.choices[0].message.tool_calls is None


async def test_embeddings_are_unit_vectors_that_depend_on_the_input(client):
    answer = await client.embeddings.create(model="e", input=["one two", "three"])
    first, second = (item.embedding for item in answer.data)
    assert len(first) == 16
    assert sum(x * x for x in first) == pytest.approx(1, abs=1e-5)
    assert first != second
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == 3
    again = await client.embeddings.create(model="e", input="one two", encoding_format="float")
    assert again.data[0].embedding == pytest.approx(first, abs=1e-6)


async def test_embeddings_have_the_size_and_form_asked_for(sim):
    body = {"model": "e", "input": [[1, 2], [3]], "dimensions": 3, "encoding_format": "base64"}
    parsed = await asked(sim, json.dumps(body).encode(), "/v1/embeddings")
    assert [len(struct.unpack("<3f", base64.b64decode(item["embedding"]))) for item in parsed.json["data"]] == [3, 3]
    assert parsed.json["usage"]["prompt_tokens"] == 3


async def test_models_are_listed_and_any_can_be_retrieved(client):
    listed = [model.id async for model in client.models.list()]
    assert "sim-small" in listed
    model = await client.models.retrieve("any-name")
    assert (model.id, model.object) == ("any-name", "model")


async def test_without_its_key_it_answers_401():
    async with Simulator(api_key="secret") as sim:
        for key, status in (("wrong", 401), ("secret", 200)):
            parsed = await asked(sim, chat("m"), headers=b"Authorization: Bearer %b\r\n" % key.encode())
            assert parsed.status == status
        refused = await asked(sim, b"", "/v1/models")
        assert (refused.status, refused.json["error"]["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    ("body", "path", "status", "code"),
    [
        pytest.param(b"{", "/v1/chat/completions", 400, "invalid_json", id="not JSON"),
        pytest.param(b'{"messages":[]}', "/v1/chat/completions", 400, "invalid_value", id="no model"),
        pytest.param(b'{"model":"m","messages":[]}', "/v1/chat/completions", 400, "invalid_value", id="no message"),
        pytest.param(chat("m", n=0), "/v1/chat/completions", 400, "invalid_value", id="no choice"),
        pytest.param(chat("m", max_tokens=0), "/v1/chat/completions", 400, "invalid_value", id="no token"),
        pytest.param(
            chat("m", tool_choice={"function": {"name": "x"}}), "/v1/chat/completions", 400, "invalid_value", id="tool"
        ),
        pytest.param(chat("m", tool_choice="required"), "/v1/chat/completions", 400, "invalid_value", id="no tool"),
        pytest.param(b'{"model":"e","input":[]}', "/v1/embeddings", 400, "invalid_value", id="no input"),
        pytest.param(b"", "/v1/chat/completions", 404, "unknown_url", id="wrong method"),
        pytest.param(b"", "/elsewhere", 404, "unknown_url", id="unknown path"),
        pytest.param(chat("fault-nonsense"), "/v1/chat/completions", 404, "model_not_found", id="unknown fault"),
    ],
)
async def test_a_bad_request_is_refused_in_openais_shape(sim, body, path, status, code):
    parsed = await asked(sim, body, path)
    assert (parsed.status, parsed.json["error"]["code"]) == (status, code)


async def test_a_model_named_after_one_upstream_fails_there_alone(sim):
    async with Simulator(name="west") as west:
        for model in ("fail-east", "my-fail-east-30tps"):
            assert (await asked(sim, chat(model))).status == 503
            assert (await asked(west, chat(model + "-1tok-1000tps"))).status == 200
        assert (await asked(sim, chat("fail-eastern"))).status == 200


@pytest.mark.parametrize(
    ("name", "pace"),
    [
        pytest.param("gpt-4o", Pace("gpt-4o", 30), id="none"),
        pytest.param("sim-100tps", Pace("sim", 100), id="pace"),
        pytest.param("sim-0tps", Pace("sim", 0), id="no pace"),
        pytest.param("a-b-50tps-500tok-200ms", Pace("a-b", 50, 500, 0.2), id="all"),
        pytest.param("a-200ms-500tok", Pace("a", 30, 500, 0.2), id="any order"),
        pytest.param("a-5tok-7tok", Pace("a", 30, 7), id="the last counts"),
        pytest.param("5tok", Pace("5tok", 30), id="not a suffix"),
        pytest.param("a-1234567tok", Pace("a-1234567tok", 30), id="too long"),
    ],
)
def test_a_models_name_sets_pace_length_and_delay(name, pace):
    assert Pace.of(name, 30) == pace


async def test_a_long_answer_goes_round(client):
    answer = await client.chat.completions.create(model="m-100tok", messages=HELLO)
    assert answer.usage.completion_tokens == 100
    text = greeting("m-100tok", "east")
    assert answer.choices[0].message.content.startswith(f"{text} {text} Hello!")


@pytest.mark.parametrize("stream", [pytest.param(True, id="streamed"), pytest.param(False, id="plain")])
async def test_an_answer_takes_the_time_its_pace_asks_for(sim, stream):
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await asked(sim, chat("m-5tok-200tps-50ms", stream=stream))
    assert loop.time() - begun >= 0.07


async def test_a_paced_stream_comes_event_by_event(sim):
    async with connected(sim) as wire:
        await wire.ask(chat("m-2tps"))
        async with asyncio.timeout(2):
            while b"assistant" not in wire.seen:
                wire.seen += await wire.loop.sock_recv(wire.sock, 65536)
        assert b"Hello!" not in wire.seen


async def test_hundreds_of_paced_streams_run_at_once(sim):
    async def one():
        return (await asked(sim, chat("m-10tok-100tps"))).events

    loop = asyncio.get_running_loop()
    begun = loop.time()
    streams = await asyncio.gather(*(one() for _ in range(200)))
    assert {len(events) for events in streams} == {13}
    assert loop.time() - begun < 2
