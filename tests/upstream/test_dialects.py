"""What reaches an upstream in each dialect, and what does not have to."""

import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from gateway.core.call import Endpoint, Form
from gateway.core.errors import Inexpressible, InvalidValue
from gateway.core.fault import ElsewhereFault
from gateway.core.outcome import Usage
from gateway.core.ports import Answer
from gateway.core.route import Upstream
from gateway.simulator import Request, Simulator, json_answer
from gateway.state.timers import Wheel
from gateway.upstream.said import Said
from gateway.upstream.sender import Sender
from tests.upstream.wire import Listening
from tests.values import make_ask, make_call, make_target, make_upstream

CHAT, MESSAGES, RESPONSES = Endpoint.CHAT, Endpoint.MESSAGES, Endpoint.RESPONSES
HI = [{"role": "user", "content": "Hi"}]
ASKED: dict[Endpoint, dict[str, Any]] = {
    CHAT: {"messages": HI},
    MESSAGES: {"messages": HI, "max_tokens": 9},
    RESPONSES: {"input": "Hi"},
    Endpoint.COUNT_TOKENS: {"messages": HI},
    Endpoint.SPEECH: {"input": "Hi"},
}
# Of every schema at once: each reads its own.
ANSWER = {
    "id": "a",
    "type": "message",
    "status": "completed",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Ho"}, "finish_reason": "stop"}],
    "content": [{"type": "text", "text": "Ho"}],
    "stop_reason": "end_turn",
    "candidates": [{"content": {"parts": [{"text": "Ho"}]}, "finishReason": "STOP"}],
    "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Ho"}]}],
}


class Bench:
    def __init__(self, simulator: Simulator, wheel: Wheel) -> None:
        self.simulator = simulator
        self.wheel = wheel

    def at(self, *dialects: str, **fields: Any) -> Upstream:
        return make_upstream(port=self.simulator.port, dialects=dialects, api_key="sk-upstream", **fields)

    async def send(
        self, upstream: Upstream, endpoint: Endpoint = CHAT, forward: tuple[tuple[bytes, bytes], ...] = (), **more: Any
    ) -> Answer:
        sender = Sender({upstream.name: upstream}, self.wheel)
        fields = {name: msgspec.Raw(json.dumps(value).encode()) for name, value in (ASKED[endpoint] | more).items()}
        ask = make_ask("gpt", fields={"model": msgspec.Raw(b'"gpt"'), **fields})
        call = make_call(endpoint=endpoint, forward=forward)
        answer = await sender.attempt(make_target("gpt", upstream, remote="their-gpt"), call, ask, 1000.0)
        answer.release()
        return answer

    @property
    def seen(self) -> Request:
        (request,) = self.simulator.requests
        return request

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [(name.decode().lower(), value.decode()) for name, value in self.seen.headers]


@pytest.fixture
async def bench(wheel: Wheel) -> AsyncIterator[Bench]:
    async with Simulator(lambda _: json_answer(200, ANSWER)) as simulator:
        yield Bench(simulator, wheel)


AZURE = "/v1/openai/deployments/their-gpt/chat/completions?api-version=v9"


class TestHeads:
    @pytest.mark.parametrize(
        ("dialect", "endpoint", "path"),
        [
            ("openai", CHAT, "/v1/chat/completions"),
            ("openai", MESSAGES, "/v1/chat/completions"),
            ("openai", RESPONSES, "/v1/chat/completions"),
            ("azure", CHAT, AZURE),
            ("azure", RESPONSES, AZURE),
            ("anthropic", CHAT, "/v1/messages"),
            ("anthropic", MESSAGES, "/v1/messages"),
            ("anthropic", RESPONSES, "/v1/messages"),
            ("anthropic", Endpoint.COUNT_TOKENS, "/v1/messages/count_tokens"),
            ("gemini", CHAT, "/v1/models/their-gpt:generateContent"),
            ("gemini", MESSAGES, "/v1/models/their-gpt:generateContent"),
            ("responses", CHAT, "/v1/responses"),
            ("responses", RESPONSES, "/v1/responses"),
        ],
    )
    async def test_each_endpoint_has_its_path(self, bench: Bench, dialect: str, endpoint: Endpoint, path: str) -> None:
        await bench.send(bench.at(dialect, api_version="v9"), endpoint)
        assert (bench.seen.method, bench.seen.path) == ("POST", path)

    @pytest.mark.parametrize(
        ("dialect", "header"),
        [
            ("openai", ("authorization", "Bearer sk-upstream")),
            ("azure", ("api-key", "sk-upstream")),
            ("anthropic", ("x-api-key", "sk-upstream")),
            ("gemini", ("x-goog-api-key", "sk-upstream")),
            ("responses", ("authorization", "Bearer sk-upstream")),
        ],
    )
    async def test_the_key_goes_in_the_dialects_header_and_in_no_other(
        self, bench: Bench, dialect: str, header: tuple[str, str]
    ) -> None:
        await bench.send(bench.at(dialect))
        assert [one for one in bench.headers if "sk-upstream" in one[1]] == [header]

    async def test_a_head_that_is_kept_is_of_its_own_path_and_dialect(self, bench: Bench) -> None:
        upstream = bench.at("openai", "anthropic", "responses")
        sender = Sender({upstream.name: upstream}, bench.wheel)
        for _ in range(2):
            for endpoint in (CHAT, MESSAGES, RESPONSES):
                fields = {name: msgspec.Raw(json.dumps(value).encode()) for name, value in ASKED[endpoint].items()}
                ask = make_ask("gpt", fields=fields)
                call = make_call(endpoint=endpoint)
                (await sender.attempt(make_target("gpt", upstream), call, ask, 1000.0)).release()
        paths = ["/v1/chat/completions", "/v1/messages", "/v1/responses"]
        assert [request.path for request in bench.simulator.requests] == paths * 2
        keys = [dict(request.headers).keys() & {b"Authorization", b"x-api-key"} for request in bench.simulator.requests]
        assert keys == [{b"Authorization"}, {b"x-api-key"}, {b"Authorization"}] * 2

    async def test_a_form_says_its_own_content_type(self, bench: Bench) -> None:
        upstream = bench.at("openai")
        form = Form(b"--b\r\n\r\n", b"\r\n--b--", "multipart/form-data; boundary=b")
        sender = Sender({upstream.name: upstream}, bench.wheel)
        call, ask = make_call(endpoint=Endpoint.TRANSCRIPTIONS), make_ask("w", fields={}, form=form)
        (await sender.attempt(make_target("w", upstream, remote="whisper"), call, ask, 1000.0)).release()
        assert bench.seen.body == b"--b\r\n\r\nwhisper\r\n--b--"
        assert ("content-type", form.content_type) in bench.headers
        assert ("content-length", str(len(bench.seen.body))) in bench.headers

    async def test_other_endpoints_say_json(self, bench: Bench) -> None:
        await bench.send(bench.at("openai"), Endpoint.SPEECH)
        assert [value for name, value in bench.headers if name == "content-type"] == ["application/json"]


VERSION = (b"anthropic-version", b"2023-01-01")
BETA = (b"anthropic-beta", b"tools-1,tools-2")
AGENT = (b"user-agent", b"sdk/1")
OPENAI_BETA = (b"openai-beta", b"x=1")
EVERYTHING = (AGENT, OPENAI_BETA, VERSION, BETA)


def versions(bench: Bench) -> list[str]:
    return [value for name, value in bench.headers if name == "anthropic-version"]


class TestForwarded:
    @pytest.mark.parametrize(
        ("dialect", "endpoint", "passed"),
        [
            pytest.param("openai", CHAT, {AGENT, OPENAI_BETA}, id="chat at openai"),
            pytest.param("openai", MESSAGES, {AGENT, OPENAI_BETA}, id="messages at openai"),
            pytest.param("anthropic", MESSAGES, {AGENT, VERSION, BETA}, id="messages at anthropic"),
            pytest.param("anthropic", Endpoint.COUNT_TOKENS, {AGENT, VERSION, BETA}, id="count_tokens at anthropic"),
            pytest.param("anthropic", CHAT, {AGENT, OPENAI_BETA}, id="chat at anthropic"),
            pytest.param("responses", RESPONSES, {AGENT, OPENAI_BETA}, id="responses at openai"),
        ],
    )
    async def test_a_header_passes_to_an_upstream_of_its_api(
        self, bench: Bench, dialect: str, endpoint: Endpoint, passed: set[tuple[bytes, bytes]]
    ) -> None:
        await bench.send(bench.at(dialect), endpoint, EVERYTHING)
        assert {one for one in bench.seen.headers if one in EVERYTHING} == passed

    async def test_a_header_of_the_upstreams_own_goes_before_the_callers(self, bench: Bench) -> None:
        upstream = bench.at("anthropic", headers=(("Anthropic-Beta", "ours"), ("User-Agent", "gateway")))
        await bench.send(upstream, MESSAGES, EVERYTHING)
        assert [value for name, value in bench.headers if name in ("anthropic-beta", "user-agent")] == [
            "ours",
            "gateway",
        ]


class TestPinned:
    async def test_a_version_is_said_for_who_says_none(self, bench: Bench) -> None:
        await bench.send(bench.at("anthropic"), MESSAGES)
        assert versions(bench) == ["2023-06-01"]

    async def test_it_is_the_upstreams_own_where_it_has_one(self, bench: Bench) -> None:
        await bench.send(bench.at("anthropic", api_version="2027-01-01"), MESSAGES)
        assert versions(bench) == ["2027-01-01"]

    async def test_a_caller_of_that_api_says_it_itself(self, bench: Bench) -> None:
        await bench.send(bench.at("anthropic", api_version="2027-01-01"), MESSAGES, (VERSION,))
        assert versions(bench) == ["2023-01-01"]

    async def test_a_caller_of_another_api_does_not(self, bench: Bench) -> None:
        await bench.send(bench.at("anthropic"), CHAT, (VERSION,))
        assert versions(bench) == ["2023-06-01"]

    async def test_a_header_of_the_upstreams_own_is_said_once(self, bench: Bench) -> None:
        await bench.send(bench.at("anthropic", headers=(("Anthropic-Version", "2025-05-05"),)), MESSAGES, (VERSION,))
        assert versions(bench) == ["2025-05-05"]

    async def test_others_have_none(self, bench: Bench) -> None:
        await bench.send(bench.at("openai"), MESSAGES, (VERSION,))
        assert versions(bench) == []


class TestElsewhere:
    @pytest.mark.parametrize(
        ("dialect", "more", "param"),
        [
            pytest.param("anthropic", {"n": 2}, "n", id="two answers of Claude"),
            pytest.param("gemini", {"logit_bias": {"1": 1}}, "logit_bias", id="tokens of another vocabulary"),
            pytest.param("responses", {"stop": "END"}, "stop", id="no stop sequences"),
        ],
    )
    async def test_what_cant_be_said_there_is_not_sent(
        self, bench: Bench, dialect: str, more: dict[str, Any], param: str
    ) -> None:
        with pytest.raises(ElsewhereFault) as raised:
            await bench.send(bench.at(dialect), **more)
        told = raised.value.told
        assert isinstance(told, Inexpressible)
        assert (told.status, told.param) == (400, param)
        assert (raised.value.unhealthy, raised.value.cooldown) == (False, None)
        assert bench.simulator.connections == 0

    async def test_nor_what_cant_be_read(self, bench: Bench) -> None:
        with pytest.raises(ElsewhereFault) as raised:
            await bench.send(bench.at("anthropic"), temperature="warm")
        assert isinstance(raised.value.told, InvalidValue)
        assert bench.simulator.connections == 0

    async def test_what_is_dropped_is_listed_with_the_answer(self, bench: Bench) -> None:
        answer = await bench.send(bench.at("anthropic"), seed=1, store=True, wat=1)
        assert set(answer.dropped) == {"seed", "store", "wat"}
        assert json.loads(answer.take())["choices"][0]["message"]["content"] == "Ho"


@pytest.mark.parametrize("dialect", ["openai", "azure", "gemini", "responses"])
class TestSaid:
    async def test_an_estimate_needs_no_upstream(self, bench: Bench, dialect: str) -> None:
        answer = await bench.send(bench.at(dialect, api_version="v9"), Endpoint.COUNT_TOKENS)
        assert isinstance(answer, Said)
        assert json.loads(answer.take())["input_tokens"] > 0
        assert bench.simulator.connections == 0

    async def test_it_is_a_whole_answer_that_cost_nothing(self, bench: Bench, dialect: str) -> None:
        answer = await bench.send(bench.at(dialect, api_version="v9"), Endpoint.COUNT_TOKENS)
        assert (answer.complete, answer.scanner, answer.usage, answer.dropped) == (True, None, Usage(0, 0), ())
        assert answer.headers == (("content-type", "application/json"),)
        assert (answer.target.name, answer.upstream_request_id) == ("gpt", None)
        listening = Listening()
        answer.attach(listening)
        assert (listening.end, listening.payload) == ("ended", b"")


async def test_anthropic_counts_itself(bench: Bench) -> None:
    bench.simulator.script = lambda _: json_answer(200, {"input_tokens": 42})
    answer = await bench.send(bench.at("anthropic"), Endpoint.COUNT_TOKENS)
    assert not isinstance(answer, Said)
    assert json.loads(answer.take()) == {"input_tokens": 42}
    assert answer.usage == Usage(0, 0)
