"""Two workers on one store beside the reference limiter: leases end, workers die, clients leave, links are lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from gateway.core.limits import Demand, Limits
from gateway.store.guard import GuardedStore
from gateway.store.redis import KEPT
from tests.fault_proxy import FaultProxy
from tests.store.bench import Bench, until
from tests.store.conftest import running
from tests.store.fake_server import FakeRedisServer
from tests.store.reference import Held, whole
from tests.store.test_reference import PICKS, Machine

BEGAN = 1_800_000_000_000_000
TTL = 30
SECOND = 1_000_000
WORKERS = st.integers(0, 1)


@dataclass
class Workers(Bench):
    """Both, and the relay between them and the server; `exits` end them one by one."""

    server: FakeRedisServer = field(kw_only=True)
    proxy: FaultProxy = field(kw_only=True)
    workers: list[GuardedStore] = field(default_factory=list)
    exits: list[AsyncExitStack] = field(default_factory=list)

    async def begin(self) -> None:
        stack = AsyncExitStack()
        store = await stack.enter_async_context(running(self.proxy.url, lease_ttl=float(TTL)))
        assert isinstance(store, GuardedStore)
        self.workers.append(store)
        self.exits.append(stack)

    async def replace(self, number: int) -> None:
        """As after a SIGKILL: nothing that it held is settled, and the new one takes its place."""
        self.workers[number]._running.clear()
        await self.exits.pop(number).aclose()
        del self.workers[number]
        await self.begin()
        self.workers.insert(number, self.workers.pop())
        self.exits.insert(number, self.exits.pop())

    async def cut(self) -> None:
        """All connections; until there are new ones, over which every lease was renewed."""
        links = [worker._links for worker in self.workers]
        self.proxy.drop_replies = False
        self.proxy.cut()
        await until(lambda: all(worker._links > link for worker, link in zip(self.workers, links, strict=True)))
        await until(lambda: all(worker._up for worker in self.workers))
        await self.arrived()

    async def arrived(self) -> None:
        """What was settled and renewed so far has been."""
        for worker in self.workers:
            await worker.use("key", Limits("none"), 0.0)


@asynccontextmanager
async def two_workers() -> AsyncIterator[Workers]:
    async with FakeRedisServer(BEGAN) as server, FaultProxy(server.port) as proxy, AsyncExitStack() as stack:

        async def elapse(microseconds: int) -> None:
            await bench.arrived()
            assert server.now is not None
            server.now += microseconds

        async with running(server.url) as witness:
            bench = Workers(witness, elapse, exact=True, server=server, proxy=proxy)
            for _ in range(2):
                await bench.begin()
            stack.push_async_callback(_end, bench)
            yield bench


async def _end(bench: Workers) -> None:
    for each in bench.exits:
        await each.aclose()


class WorkersMachine(Machine):
    """What `Machine` does, by either worker. `lives` has the calls that a worker runs, `ends` when each lease does."""

    bench: Workers
    opened = staticmethod(two_workers)

    def __init__(self) -> None:
        super().__init__()
        self.turn = 0
        self.lives: dict[str, int] = {}
        self.ends: dict[str, int] = {}
        self.ended: dict[str, Held] = {}

    @rule(pick=PICKS)
    def a_running_call_is_asked_for_again(self, pick: int) -> None:
        """As a lost reply makes it be: it keeps what it has, and its lease begins anew."""
        call = self._picked(pick)
        if call is not None and (demand := self.reference.running[call].demand).limits is self.limits:
            self.reference.may(demand)
            assert self.runner.run(self.bench.workers[self.lives[call]].admit(demand)).admitted
            self.ends[call] = self.reference.now + TTL * SECOND

    @rule(number=WORKERS)
    def leases_are_renewed(self, number: int) -> None:
        async def renew() -> None:
            self.bench.workers[number]._renew()
            await self.bench.arrived()

        self.runner.run(renew())
        self._renewed(number)

    @rule(number=WORKERS)
    def a_worker_dies(self, number: int) -> None:
        """What its calls reserved stays charged, their places are free when their leases end."""
        self.runner.run(self.bench.replace(number))
        for call in [call for call, worker in self.lives.items() if worker == number]:
            del self.lives[call]

    @rule(pick=PICKS, tokens=st.integers(0, 800), ran=st.booleans())
    def connections_are_lost_as_a_call_ends(self, pick: int, tokens: int, ran: bool) -> None:
        """Whether the settlement had run or not, it counts once."""

        async def lose(call: str) -> None:
            if ran:
                self.bench.proxy.drop_replies = True
            seen = len(self.bench.server.commands)
            self._ends(call, tokens)
            if ran:
                await until(lambda: len(self.bench.server.commands) > seen)
            await self.bench.cut()

        call = self._picked(pick)
        if call is None:
            return
        self.runner.run(lose(call))
        for number in range(2):
            self._renewed(number)

    @rule(number=WORKERS, tokens=st.integers(0, 300), ticks=st.integers(0, 12))
    def a_client_leaves_while_it_is_asked_for(self, number: int, tokens: int, ticks: int) -> None:
        """Nobody makes use of what may have been admitted, and it comes to nothing."""
        if self._is_clipped():
            return
        self.calls += 1
        demand = Demand(f"call {self.calls}", "key", self.limits, tokens, tokens, self.wall)

        async def leave() -> bool:
            asking = asyncio.get_running_loop().create_task(self.bench.workers[number].admit(demand), name="asking")
            for _ in range(ticks):
                await asyncio.sleep(0)
            asking.cancel()
            with suppress(asyncio.CancelledError):
                return (await asking).admitted
            return False

        if self.runner.run(leave()):
            self.bench.workers[number].settle(demand, 0, 0)
            self.reference.admit(demand)
            self.reference.settle(demand.call_id, 0, 0)
            self.admitted.append(self.reference.now)
        self.runner.run(self.bench.arrived())

    def _admit(self, demand: Demand) -> None:
        self.turn = 1 - self.turn
        expected = self.reference.may(demand)
        verdict = self.runner.run(self.bench.workers[self.turn].admit(demand))
        assert expected is None or verdict.admitted is expected
        if not verdict.admitted:
            self._remember_wait(verdict)
            return
        self.reference.admit(demand)
        self.admitted.append(self.reference.now)
        self.lives[demand.call_id] = self.turn
        self.ends[demand.call_id] = self.reference.now + TTL * SECOND

    def _picked(self, pick: int) -> str | None:
        running = [call for call in self.reference.running if call in self.lives]
        return running[pick % len(running)] if running else None

    def _settle(self, call: str, tokens: int, micro_usd: int) -> None:
        if call in self.lives:
            self._ends(call, tokens)
            self.runner.run(self.bench.arrived())

    def _ends(self, call: str, used: int) -> None:
        """So many tokens and micro-USD. One whose lease ended, but who lives, finds what it had reserved."""
        if call in self.ended:
            self.reference.running[call] = self.ended.pop(call)
        self.bench.workers[self.lives.pop(call)].settle(self.reference.running[call].demand, used, used)
        self.reference.settle(call, used, used)

    def _elapse(self, microseconds: int) -> None:
        """No worker leaves a lease alone for so long that what it reserved would be forgotten."""
        then = self.reference.now + microseconds
        for call in list(self.lives):
            if self.ends[call] + (KEPT * TTL - 1) * SECOND < then:
                self._settle(call, 50, 50)
        super()._elapse(microseconds)
        for call in [call for call in self.reference.running if self.ends[call] <= self.reference.now]:
            held = self.reference.running.pop(call)
            if call in self.lives:
                self.ended[call] = held

    def _renewed(self, number: int) -> None:
        for call, worker in self.lives.items():
            if worker == number:
                self.ends[call] = self.reference.now + TTL * SECOND
                if call in self.ended:
                    self.reference.running[call] = self.ended.pop(call)

    def _is_clipped(self) -> bool:
        """Whether an admission would let off some of what lower limits make too much: that is not given back."""
        now, requests, tokens = self.reference.now, self.limits.requests, self.limits.tokens
        return (requests is not None and self.reference.requests.debt(now) >= whole(requests) - 1) or (
            tokens is not None and self.reference.tokens.debt(now) >= 10 * tokens.capacity - 1
        )


def test_two_workers_answer_as_one_limiter_does_whatever_happens_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.guard.MAX_BACKOFF", 0.002)
    run_state_machine_as_test(
        WorkersMachine,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
