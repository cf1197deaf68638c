import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator

import pytest

from gateway.core.call import Ask, Endpoint, Kind
from gateway.core.fault import CallerFault, ConnectFault, Fault, ResetFault, TimeoutFault
from gateway.core.route import Target
from gateway.simulator import Close, Gate, Pause, Request, Reset, Send, Silence, Simulator, Step, Wait, json_answer
from gateway.state.timers import Wheel
from gateway.upstream.attempt import Attempt
from gateway.upstream.sender import REPLAY_WITHIN, Sender, request_head
from gateway.wire.dialect import DIALECTS
from tests.upstream.wire import until
from tests.values import make_ask, make_call, make_target, make_upstream

Steps = Iterable[Step]


@pytest.fixture
async def upstream() -> AsyncIterator[Simulator]:
    async with Simulator(lambda _: json_answer(200, {})) as simulator:
        yield simulator


def sender_to(upstream: Simulator, wheel: Wheel) -> Sender:
    return Sender({"first": make_upstream(port=upstream.port)}, wheel)


async def attempt(sender: Sender, ask: Ask | None = None, target: Target | None = None) -> Attempt:
    """A plain call, let go of as soon as its answer is there."""
    target = target or make_target("gpt", sender.pools["first"].upstream)
    answer = await sender.attempt(target, make_call(), ask or make_ask(), 1000.0)
    answer.release()
    return answer


class TestRequests:
    async def test_a_request_has_the_upstreams_headers_the_forwarded_ones_and_no_other(
        self, upstream: Simulator, wheel: Wheel
    ) -> None:
        there = make_upstream(
            port=upstream.port, base_path="/openai/v9", api_key="sk-upstream", headers=(("X-Team", "a"),)
        )
        sender = Sender({"first": there}, wheel)
        call = make_call(
            forward=((b"user-agent", b"sdk/1"), (b"openai-beta", b"x=1")), keys=(b"sk-gw-canary",), request_id="mine"
        )
        (await sender.attempt(make_target("gpt", there), call, make_ask(), 1000.0)).release()
        (seen,) = upstream.requests
        assert (seen.method, seen.path) == ("POST", "/openai/v9/chat/completions")
        assert json.loads(seen.body) == {"model": "gpt", "messages": [{"role": "user"}]}
        assert seen.headers == (
            (b"Host", b"127.0.0.1:%d" % upstream.port),
            (b"Accept-Encoding", b"identity"),
            (b"Authorization", b"Bearer sk-upstream"),
            (b"X-Team", b"a"),
            (b"user-agent", b"sdk/1"),
            (b"openai-beta", b"x=1"),
            (b"Content-Type", b"application/json"),
            (b"Content-Length", b"%d" % len(seen.body)),
        )

    async def test_embeddings_go_to_their_own_path(self, upstream: Simulator, wheel: Wheel) -> None:
        sender = sender_to(upstream, wheel)
        target = make_target("e", sender.pools["first"].upstream, kind=Kind.EMBEDDINGS)
        (await sender.attempt(target, make_call(endpoint=Endpoint.EMBEDDINGS), make_ask("e"), 1000.0)).release()
        assert upstream.requests[0].path == "/v1/embeddings"

    @pytest.mark.parametrize(
        ("host", "port", "tls", "shown"),
        [
            ("api.example.com", 443, True, "api.example.com"),
            ("api.example.com", 80, False, "api.example.com"),
            ("api.example.com", 80, True, "api.example.com:80"),
            ("api.example.com", 443, False, "api.example.com:443"),
            ("::1", 80, False, "[::1]"),
            ("::1", 11434, False, "[::1]:11434"),
        ],
    )
    def test_the_host_is_named_as_rfc_9110_wants_it(self, host: str, port: int, tls: bool, shown: str) -> None:
        there = make_upstream(host=host, port=port, tls=tls)
        lines = request_head("GET", there, "/v1/models", DIALECTS["openai"]).split(b"\r\n")
        assert lines[:2] == [b"GET /v1/models HTTP/1.1", f"Host: {shown}".encode()]

    async def test_an_upstream_that_is_left_out_has_no_pool(self, upstream: Simulator, wheel: Wheel) -> None:
        left_out = make_upstream("second", left_out="KEY is not set")
        assert Sender({"first": make_upstream(), "second": left_out}, wheel).pools.keys() == {"first"}


def scripted(*answers: Steps) -> "Iterator[Steps]":
    """One answer a request, and after the last one a good one."""
    yield from answers
    while True:
        yield json_answer(200, {"choices": []})


def play(upstream: Simulator, *answers: Steps) -> None:
    script = scripted(*answers)
    upstream.script = lambda _: next(script)


GOOD = json_answer(200, {"choices": []})


class TestStaleConnections:
    """A server may close an idle connection at any moment, also just as a request is on its way."""

    @pytest.mark.parametrize("end", [Close(), Reset()], ids=["FIN", "RST"])
    async def test_u45_a_kept_one_that_ends_without_an_answer_is_replaced_once(
        self, upstream: Simulator, wheel: Wheel, end: Step
    ) -> None:
        sender = sender_to(upstream, wheel)
        play(upstream, GOOD, [end])
        await attempt(sender)
        await attempt(sender)
        assert [request.connection for request in upstream.requests] == [1, 1, 2]
        assert len({request.body for request in upstream.requests}) == 1

    async def test_a_second_end_without_an_answer_is_a_fault(self, upstream: Simulator, wheel: Wheel) -> None:
        sender = sender_to(upstream, wheel)
        play(upstream, GOOD, [Close()], [Close()])
        await attempt(sender)
        with pytest.raises(ResetFault):
            await attempt(sender)
        assert [request.connection for request in upstream.requests] == [1, 1, 2]

    async def test_the_replacement_is_fresh_and_not_another_kept_one(self, upstream: Simulator, wheel: Wheel) -> None:
        sender = sender_to(upstream, wheel)
        await asyncio.gather(attempt(sender), attempt(sender))
        assert upstream.connections == 2
        play(upstream, [Reset()])
        await attempt(sender)
        assert upstream.connections == 3

    @pytest.mark.parametrize(
        "seen",
        [
            pytest.param(b"H", id="one byte"),
            pytest.param(b"HTTP/1.1 103 Early Hints\r\n\r\n", id="a 1xx"),
            pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n", id="half a head"),
            pytest.param(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n", id="a head"
            ),
        ],
    )
    async def test_it_is_not_if_anything_of_an_answer_was_seen(
        self, upstream: Simulator, wheel: Wheel, seen: bytes
    ) -> None:
        sender = sender_to(upstream, wheel)
        play(upstream, GOOD, [Send(seen), Close()])
        await attempt(sender)
        with pytest.raises(ResetFault):
            await attempt(sender)
        assert len(upstream.requests) == 2

    async def test_nor_if_the_connection_was_a_fresh_one(self, upstream: Simulator, wheel: Wheel) -> None:
        sender = sender_to(upstream, wheel)
        play(upstream, [Reset()])
        with pytest.raises(ResetFault):
            await attempt(sender)
        assert len(upstream.requests) == 1

    async def test_nor_if_it_was_silent(self, upstream: Simulator, wheel: Wheel) -> None:
        sender = sender_to(upstream, wheel)
        play(upstream, GOOD, [Silence()])
        await attempt(sender)
        waiting = asyncio.get_running_loop().create_task(attempt(sender), name="waiting")
        await until(lambda: len(upstream.requests) == 2)
        wheel.tick(1000.1)
        with pytest.raises(TimeoutFault):
            await waiting
        assert len(upstream.requests) == 2

    async def test_an_upstream_that_is_gone_by_then_is_a_fault(self, upstream: Simulator, wheel: Wheel) -> None:
        sender = sender_to(upstream, wheel)
        await attempt(sender)
        await upstream.close()
        with pytest.raises(ConnectFault):
            await attempt(sender)


def echo(request: Request) -> Steps:
    """An answer that names its request."""
    return json_answer(200, {"echo": json.loads(request.body)["messages"]})


class TestOneAnswerForEachRequest:
    """An answer must never reach another call than the one it was made for."""

    async def test_of_many_at_once(self, upstream: Simulator, wheel: Wheel) -> None:
        sender, upstream.script = sender_to(upstream, wheel), echo

        async def one(number: int) -> None:
            for turn in range(5):
                ask = make_ask(fields={"messages": [f"{number}.{turn}"]})
                answer = await attempt(sender, ask)
                assert json.loads(answer.take()) == {"echo": [f"{number}.{turn}"]}

        await asyncio.gather(*map(one, range(20)))
        assert upstream.connections <= 20

    @pytest.mark.parametrize("between", [[], [Pause(0)], [Pause(0.001)]], ids=["at once", "next turn", "later"])
    async def test_u44_not_even_when_an_upstream_answers_twice(
        self, upstream: Simulator, wheel: Wheel, between: list[Step]
    ) -> None:
        sender = sender_to(upstream, wheel)
        upstream.script = lambda request: [*echo(request), *between, *json_answer(200, {"evil": True})]
        for number in range(5):
            answer = await attempt(sender, make_ask(fields={"messages": [number]}))
            assert json.loads(answer.take()) == {"echo": [number]}
            await until(lambda: repr(sender.pools["first"]) == "<Pool first open=0 idle=0>")
        assert upstream.connections == 5

    async def test_nor_when_a_cancelled_call_left_its_answer_behind(self, upstream: Simulator, wheel: Wheel) -> None:
        sender, gate = sender_to(upstream, wheel), Gate()
        play(upstream, GOOD, [Wait(gate), *json_answer(200, {"evil": True})])
        await attempt(sender)
        gone = asyncio.get_running_loop().create_task(attempt(sender), name="gone")
        await gate.until_reached()
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        gate.open()
        assert json.loads((await attempt(sender)).take()) == {"choices": []}
        assert upstream.connections == 2


class TestLargeBodies:
    @pytest.fixture
    async def deaf(self) -> AsyncIterator[Simulator]:
        async with Simulator(at_head=True) as simulator:
            yield simulator

    async def test_u46_an_upstream_that_never_reads_is_a_timeout(self, deaf: Simulator, wheel: Wheel) -> None:
        deaf.script = lambda _: [Silence()]
        """And the connection is closed at once, not when the upstream has read what is still to be sent."""
        sender, ask = sender_to(deaf, wheel), make_ask(fields={"messages": ["x" * 20_000_000]})
        waiting = asyncio.get_running_loop().create_task(attempt(sender, ask), name="waiting")
        await until(lambda: deaf.requests)
        wheel.tick(1000.1)
        with pytest.raises(TimeoutFault):
            await waiting
        await until(lambda: repr(sender.pools["first"]) == "<Pool first open=0 idle=0>")

    async def test_u47_an_early_413_is_heard_before_the_body_is_sent(self, deaf: Simulator, wheel: Wheel) -> None:
        gate = Gate()
        deaf.script = lambda _: [*json_answer(413, {"error": {"message": "too large"}}), Wait(gate), Close()]
        ask = make_ask(fields={"messages": ["x" * 20_000_000]})
        with pytest.raises(CallerFault) as caught:
            await attempt(sender_to(deaf, wheel), ask)
        assert caught.value.rejection.status == 413
        gate.open()


async def test_closing_lets_go_of_idle_connections(upstream: Simulator, wheel: Wheel) -> None:
    sender = sender_to(upstream, wheel)
    await attempt(sender)
    sender.close()
    assert (await upstream.until_left(upstream.requests[0])).by_peer


class TestSuccession:
    """The sender of a new configuration beside the one before it."""

    async def test_it_shares_the_connections_of_an_upstream_that_is_the_same(
        self, upstream: Simulator, wheel: Wheel
    ) -> None:
        before = sender_to(upstream, wheel)
        await attempt(before)
        sender = Sender({"first": make_upstream(port=upstream.port)}, wheel, before)
        before.close(sender)
        await attempt(sender)
        await attempt(before)
        assert (upstream.connections, repr(sender.pools["first"])) == (1, "<Pool first open=1 idle=1>")

    @pytest.mark.parametrize(
        "upstreams",
        [
            pytest.param({}, id="gone"),
            pytest.param({"first": {"api_key": "sk-new"}}, id="another credential"),
            pytest.param({"first": {"left_out": "KEY is not set"}}, id="left out"),
            pytest.param({"other": {}}, id="another name"),
        ],
    )
    async def test_those_of_any_other_are_closed_when_they_are_idle(
        self, upstream: Simulator, wheel: Wheel, upstreams: dict[str, dict[str, str]]
    ) -> None:
        before, gate = sender_to(upstream, wheel), Gate()
        play(upstream, [Wait(gate), *GOOD])
        busy = asyncio.get_running_loop().create_task(attempt(before), name="busy")
        await gate.until_reached()
        await attempt(before)
        there = {name: make_upstream(name, port=upstream.port, **fields) for name, fields in upstreams.items()}
        before.close(Sender(there, wheel, before))
        assert (await upstream.until_left(upstream.requests[1])).by_peer
        gate.open()
        await busy
        assert (await upstream.until_left(upstream.requests[0])).by_peer

    async def test_one_that_was_closed_still_sends_on_connections_that_it_does_not_keep(
        self, upstream: Simulator, wheel: Wheel
    ) -> None:
        before = sender_to(upstream, wheel)
        await attempt(before)
        before.close(Sender({}, wheel, before))
        for _ in range(2):
            await attempt(before)
        assert [request.connection for request in upstream.requests] == [1, 2, 3]
        await until(lambda: repr(before.pools["first"]) == "<Pool first open=0 idle=0>")


async def test_a_header_that_the_upstream_configures_is_not_sent_twice(upstream: Simulator, wheel: Wheel) -> None:
    there = make_upstream(port=upstream.port, headers=(("User-Agent", "ours"),))
    call = make_call(forward=((b"user-agent", b"theirs"), (b"accept", b"*/*")))
    (await Sender({"first": there}, wheel).attempt(make_target("gpt", there), call, make_ask(), 1000.0)).release()
    (seen,) = upstream.requests
    assert [value for name, value in seen.headers if name.lower() == b"user-agent"] == [b"ours"]
    assert seen.header(b"accept") == b"*/*"


async def test_a_kept_connection_that_is_lost_late_may_have_been_worked_on(upstream: Simulator, wheel: Wheel) -> None:
    gate = Gate()
    sender = sender_to(upstream, wheel)
    await attempt(sender)
    play(upstream, [Wait(gate), Close()])
    async with asyncio.TaskGroup() as tasks:
        late = tasks.create_task(fault_of(attempt(sender)), name="late")
        await gate.until_reached()
        wheel.tick(wheel.now + REPLAY_WITHIN + 0.1)
        gate.open()
    assert type(late.result()) is ResetFault
    assert len(upstream.requests) == 2, "sent once, not again"


async def fault_of(attempted: Coroutine[None, None, Attempt]) -> Fault:
    with pytest.raises(Fault) as caught:
        await attempted
    return caught.value
