"""What instructions depend on: not on open streams, keys and models; on sizes no more than in proportion."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.simulator import Gate, Simulator
from tests.counts.bounds import compare, instructions_by_size, is_within, slopes
from tests.counts.callgrind import Callgrind, counted
from tests.counts.calls import Client, Script, routes, written
from tests.counts.sizes import CHUNK, Paced, answer, chunk, cut, request, stream

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

FEW, MANY = 10, 3000
STREAMS = 200
WARM_UP = 40
CALLS = 15
EVENTS = 200
LOOKS = 3
AT_ONCE = 4
# What counts as the same: what else the gateway does meanwhile is subtracted by the clock.
SAME = 1.05
SMALL_PIECE = 1000


@dataclass(frozen=True)
class Measured:
    """A gateway that counts, and its only client."""

    callgrind: Callgrind
    client: Client
    paced: Paced
    script: Script

    async def plain(self) -> float:
        """By call."""
        self.paced.upstream.script = self.script
        return await self.callgrind.lowest(lambda: self.client.plain(CALLS), CALLS, 2) / CALLS

    async def event(self) -> float:
        """By event of a stream, one at a time."""
        self.paced.upstream.script = self.script
        return await self.callgrind.lowest(lambda: self.client.stream(self.script, EVENTS), 1, 2) / EVENTS


@contextlib.asynccontextmanager
async def measured(valgrind: str, vgdb: str, folder: Path, upstream: Simulator, others: int) -> AsyncIterator[Measured]:
    script = Script()
    file = written(folder, routes(upstream.url, others=others))
    async with counted(valgrind, vgdb, folder, file) as callgrind, Client.to(callgrind.served.port) as client:
        paced = Paced(client, upstream, callgrind.served.process.pid)
        upstream.script = script
        await client.plain(WARM_UP)
        await client.stream(script, WARM_UP)
        await callgrind.begin(WARM_UP + 1)
        yield Measured(callgrind, client, paced, script)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateways(
    valgrind: str, vgdb: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Measured, Measured]]:
    """With few keys and models, and with many; they start side by side."""
    async with (
        Simulator(remember=False) as one,
        Simulator(remember=False) as other,
        contextlib.AsyncExitStack() as stack,
    ):
        few = measured(valgrind, vgdb, tmp_path_factory.mktemp("few"), one, FEW)
        many = measured(valgrind, vgdb, tmp_path_factory.mktemp("many"), other, MANY)
        first, second = await asyncio.gather(few.__aenter__(), many.__aenter__())
        stack.push_async_exit(few)
        stack.push_async_exit(many)
        yield first, second


@pytest.fixture
def gateway(gateways: tuple[Measured, Measured]) -> Measured:
    return gateways[0]


@contextlib.asynccontextmanager
async def crowd(gateway: Measured) -> AsyncIterator[tuple[list[Client], list[Gate]]]:
    """Open streams, each with its first event read; at each gate the next comes to all of them."""
    callgrind = gateway.callgrind
    steps, gates = stream(*[CHUNK] * AT_ONCE)
    gateway.paced.upstream.script = lambda _: steps
    async with contextlib.AsyncExitStack() as stack:
        async with callgrind.paused():
            clients = [await stack.enter_async_context(Client.to(callgrind.served.port)) for _ in range(STREAMS)]
            for client in clients:
                await client.upload(request(stream=True))
                await client.head()
                await client.event()
        yield clients, gates[:AT_ONCE]
        before = len(callgrind.served.told("call"))
        async with callgrind.paused():
            await stack.aclose()
            await callgrind.until_logged(before + STREAMS)


async def test_open_streams_make_nothing_dearer(gateway: Measured) -> None:
    alone = {"by plain call": await gateway.plain(), "by event": await gateway.event()}
    async with crowd(gateway) as (clients, gates):
        beside = {"by plain call": await gateway.plain(), "by event": await gateway.event()}

        async def events() -> None:
            for gate in gates:
                gate.open()
                await asyncio.gather(*(client.event() for client in clients))

        at_once = await gateway.callgrind.cost(events(), 0) / (len(gates) * len(clients))
    bounds = {name: SAME * cost for name, cost in alone.items()}
    compare(f"beside {STREAMS} open streams", beside, bounds)
    compare(f"of {STREAMS} streams at once", {"by event": at_once}, {"by event": bounds["by event"]})


async def test_keys_and_models_make_no_call_dearer(gateways: tuple[Measured, Measured]) -> None:
    """What else a gateway does while a slow machine makes its calls comes on top, and then it is looked at again."""
    few = many = math.inf
    for _ in range(LOOKS):
        few, many = [min(cost, await gateway.plain()) for cost, gateway in zip((few, many), gateways, strict=True)]
        if many <= SAME * few:
            break
    compare(f"{MANY} keys and models", {"by plain call": many}, {"by plain call": SAME * few})


async def a_request(paced: Paced, size: int) -> None:
    await paced.plain([request(size)], [answer()])


async def a_request_in_pieces(paced: Paced, size: int) -> None:
    await paced.plain(cut(request(size), SMALL_PIECE), [answer()])


async def an_answer(paced: Paced, size: int) -> None:
    await paced.plain([request()], [answer(size)])


async def an_answer_in_pieces(paced: Paced, size: int) -> None:
    await paced.plain([request()], cut(answer(size), SMALL_PIECE))


async def a_head_byte_by_byte(paced: Paced, size: int) -> None:
    await paced.plain([request()], cut(answer(header=size), 1))


async def an_event_in_pieces(paced: Paced, size: int) -> None:
    await paced.stream(*cut(chunk(size), SMALL_PIECE))


async def a_large_event(paced: Paced, size: int) -> None:
    """As large as a read of a fast upstream, and so read in parts."""
    await paced.stream(*cut(chunk(size), 32 * 1024))


async def chunks_in_five_reads(paced: Paced, size: int) -> None:
    await paced.stream(*[CHUNK * size] * 5)


async def chunks_in_reads_that_cut_them(paced: Paced, size: int) -> None:
    await paced.stream(*cut(CHUNK * size, SMALL_PIECE))


SIZES = (10_000, 100_000, 1_000_000)


@pytest.mark.parametrize(
    ("call", "sizes"),
    [
        pytest.param(a_request, SIZES, id="by byte of a request"),
        pytest.param(a_request_in_pieces, SIZES, id="by byte of a request in pieces"),
        pytest.param(an_answer, SIZES, id="by byte of an answer"),
        pytest.param(an_answer_in_pieces, SIZES, id="by byte of an answer in pieces"),
        pytest.param(a_head_byte_by_byte, (100, 300, 900), id="by byte of a head, byte by byte"),
        pytest.param(a_large_event, (100_000, 150_000, 300_000), id="by byte of an event"),
        pytest.param(an_event_in_pieces, (6_000, 20_000, 60_000), id="by byte of an event in pieces"),
        pytest.param(chunks_in_five_reads, (10, 30, 90), id="by chunk of each of five reads"),
        pytest.param(chunks_in_reads_that_cut_them, (10, 40, 120), id="by chunk of many that reads cut"),
    ],
)
async def test_what_is_larger_is_no_dearer_by_its_size(
    gateway: Measured,
    call: Callable[[Paced, int], Awaitable[None]],
    sizes: tuple[int, ...],
    request: pytest.FixtureRequest,
) -> None:
    """A garbage collection may come between, and then it is looked at again."""
    callgrind, paced = gateway.callgrind, gateway.paced
    what = request.node.callspec.id
    costs = dict.fromkeys(sizes, math.inf)
    await callgrind.reset()
    for _ in range(LOOKS):
        for size in sizes:
            costs[size] = min(costs[size], await callgrind.further_cost(call(paced, size), 1))
        by_size, bounds = slopes(costs, instructions_by_size()[what])
        if is_within(by_size, bounds):
            break
    compare(f"instructions {what}", by_size, bounds)
