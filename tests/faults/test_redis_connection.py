"""The way to Redis is slow, cut, garbled, or loses replies: what clients see of it, and what they are charged."""

import asyncio
import random

import pytest

from gateway.simulator import Request, Step
from gateway.store.guard import GuardedStore
from tests.catalogue import fault
from tests.e2e.answers import Answer
from tests.fault_proxy import Faults
from tests.faults.limited import (
    BURST,
    FOREIGN,
    PAYER,
    RECOVERY,
    VAST,
    Limited,
    assert_denied,
    is_degraded,
    limited_gateway,  # noqa: F401 - a fixture
    until,
    usage_of,
)
from tests.faults.limited import request as asking

# Tokens and requests come back at one a second while a test runs.
REFILLED = 6


class Trips:
    """How many replies had come from Redis when a call reached its upstream."""

    def __init__(self, limited: Limited) -> None:
        self._limited = limited
        self._script = limited.rig.first.script
        self.seen: list[int] = []
        limited.rig.first.script = self

    def __call__(self, request: Request) -> "list[Step]":
        self.seen.append(self._limited.proxy.replies)
        return list(self._script(request))


@fault("R07")
@pytest.mark.parametrize("latency", [0.02, 0.05], ids=["20 ms", "50 ms"])
async def test_a_slow_way_costs_a_call_one_round_trip(limited: Limited, latency: float) -> None:
    await limited.start(patient=True)
    await limited.call()
    trips = Trips(limited)
    for _ in range(3):
        await until(lambda: _is_idle(limited))  # the settlement of the one before, which nobody waits for
        limited.proxy.latency, before = latency, limited.proxy.replies
        answer = await limited.call()
        assert (answer.status, is_degraded(answer)) == (200, False)
        assert float(answer.header("x-gateway-overhead-ms") or 0) >= latency * 1000 - 2
        assert trips.seen[-1] == before + 1
    limited.proxy.latency = 0.0


async def _is_idle(limited: Limited) -> bool:
    store = limited.rig.gateway.app.store
    assert isinstance(store, GuardedStore)
    return store._batcher.idle


@fault("R04")
async def test_forgotten_scripts_fail_no_call(limited: Limited) -> None:
    await limited.start(patient=True)
    running = True

    async def flush() -> None:
        while running:
            await limited.server.ask("SCRIPT", "FLUSH")

    flushing = asyncio.get_running_loop().create_task(flush(), name="flush")
    answers = [answer for _ in range(10) for answer in await limited.calls(20, VAST)]
    running = False
    await flushing
    assert {(answer.status, is_degraded(answer)) for answer in answers} == {(200, False)}
    assert limited.rig.metric("store_degraded") == 0
    assert "script" not in await _errors(limited)
    await limited.all_free()


async def _errors(limited: Limited) -> set[str]:
    """Kinds of what the store failed to do."""
    families = limited.rig.gateway.app.metrics.registry.collect()
    samples = [
        sample for family in families for sample in family.samples if sample.name == "gateway_store_errors_total"
    ]
    return {sample.labels["kind"] for sample in samples if sample.value}


@fault("R13")
async def test_connections_killed_every_tenth_of_a_second_are_no_clients_business(limited: Limited) -> None:
    """What has a budget is denied while Redis is away, and never charged for that."""
    await limited.start()
    before, kills, paid = len(limited.proxy.accepted), 0, 0

    async def kill() -> None:
        nonlocal kills
        async with limited.server.client() as client:
            for _ in range(10):
                kills += await client.client_kill_filter(_type="normal", skipme=True)
                await asyncio.sleep(0.1)

    killing = asyncio.get_running_loop().create_task(kill(), name="kill")
    while not killing.done():
        others, payers = await asyncio.gather(limited.calls(3, VAST), limited.calls(3, PAYER))
        assert {answer.status for answer in others} == {200}
        assert {answer.status for answer in payers} <= {200, 503}
        paid += sum(cost_of(answer) for answer in payers if answer.status == 200)
    await killing
    await limited.recovered()
    assert len(limited.proxy.accepted) - before <= kills
    await limited.all_free()
    await limited.spent(paid)


def cost_of(answer: Answer) -> int:
    """Micro-USD."""
    prompt, completion = usage_of(answer)
    return prompt + 2 * completion


@fault("R14")
@pytest.mark.parametrize("policy", ["local", "deny"])
async def test_a_call_whose_admission_was_never_told_is_charged_once_at_the_most(limited: Limited, policy: str) -> None:
    await limited.start(policy)
    await limited.call(VAST)
    limited.proxy.drop_replies = True
    answer = await limited.call()
    assert (answer.status, is_degraded(answer)) == ((200, True) if policy == "local" else (503, True))
    limited.proxy.drop_replies = False
    await until(limited.is_back, RECOVERY)
    await limited.all_free()
    used = await limited.used()
    tokens = sum(usage_of(answer)) if policy == "local" else 0
    assert max(0, tokens - REFILLED) <= used["tokens_per_minute"]["used"] <= tokens
    assert used["requests_per_minute"]["used"] <= (policy == "local")


@fault("R14")
async def test_an_end_that_was_never_told_is_paid_once(limited: Limited) -> None:
    await limited.start()
    stream = await limited.stream(PAYER)
    limited.proxy.drop_replies = True
    await limited.end_streams(stream)
    await until(lambda: _is_counted(limited, "timeout"))
    limited.proxy.drop_replies = False
    await until(limited.is_back, RECOVERY)
    line = await limited.rig.gateway.last_call()
    await limited.spent(round(line["cost_usd"] * 1e6))


async def _is_counted(limited: Limited, kind: str) -> bool:
    return kind in await _errors(limited)


@fault("R14", "R13")
async def test_whatever_is_lost_on_the_way_every_call_is_paid_once(limited: Limited) -> None:
    """Replies dropped, connections cut in the middle of both ways, calls under way all the time, clients leaving."""
    await limited.start()
    dice = random.Random(5)
    proxy = limited.proxy

    async def spoil() -> None:
        for _ in range(6):
            way = dice.choice(["to_server", "to_client"])
            hurt = Faults(cut_after=dice.randrange(400), reset=dice.random() < 0.5)
            setattr(proxy, way, dice.choice([hurt, Faults(silent_after=0)]))
            await asyncio.sleep(dice.uniform(0.02, 0.1))
            proxy.to_server = proxy.to_client = Faults()
            await until(limited.is_back, RECOVERY)
            await asyncio.sleep(0.03)

    async def pay() -> None:
        while not spoiling.done():
            client = limited.rig.client()
            await client.send(asking(PAYER, stream=dice.random() < 0.5))
            if dice.random() < 0.3:
                await asyncio.sleep(dice.uniform(0, 0.02))
                client.leave(reset=True)
            else:
                await client.answer()
                await asyncio.sleep(0.01)

    spoiling = asyncio.get_running_loop().create_task(spoil(), name="spoil")
    await asyncio.gather(*(pay() for _ in range(6)))
    await spoiling
    await until(limited.is_back, RECOVERY)
    await limited.all_free()
    lines = [line for line in limited.rig.gateway.calls() if line.get("key") == "payer"]
    assert {"ok", "client_gone", "refused"} <= {line["outcome"] for line in lines}
    await limited.spent(sum(round(line.get("cost_usd", 0) * 1e6) for line in lines))


@fault("R23")
@pytest.mark.parametrize(
    "garbage",
    [b"HTTP/1.1 200 OK\r\n\r\n", b"+1 0 0\r\n", b":1\r\n", b"\x00\xff\xfe\r\n", b"$-1\r\n"],
    ids=["another protocol", "too few numbers", "a number", "noise", "nothing"],
)
async def test_a_garbled_reply_decides_nothing(limited: Limited, garbage: bytes) -> None:
    await limited.start("deny")
    assert (await limited.call()).status == 200
    await limited.all_free()
    limited.proxy.garbage = garbage
    assert_denied(await limited.call())
    await limited.recovered()
    assert (await limited.call()).status == 200
    assert "protocol" in await _errors(limited)


@fault("R23")
async def test_a_flipped_byte_in_a_reply_ends_the_connection(limited: Limited) -> None:
    await limited.start("deny")
    await limited.call()
    await limited.all_free()
    limited.proxy.to_client = Faults(corrupt_at=0)
    assert_denied(await limited.call())
    limited.proxy.to_client = Faults()
    await limited.recovered()


@fault("R21")
@pytest.mark.parametrize("suffix", ["rpm", "tpm", "leases", "held"])
async def test_foreign_data_in_a_key_harms_that_key_only(limited: Limited, suffix: str) -> None:
    await limited.start(patient=True)
    await limited.call(FOREIGN)
    await limited.all_free()
    ids = {caller.name: caller.id for caller in limited.rig.gateway.app.config.callers.values()}
    name = f"gw:{{{ids['foreign']}}}:{suffix}"
    await limited.server.ask("DEL", name)
    await limited.server.ask("LPUSH", name, "what is this")
    for _ in range(3):
        assert_denied(await limited.call(FOREIGN))
        answer = await limited.call()
        assert (answer.status, is_degraded(answer)) == (200, False)
    assert (await limited.get("/readyz")).status == 200
    assert await _errors(limited) & {"wrongtype", "script"}
    await limited.server.ask("DEL", name)
    assert (await limited.call(FOREIGN)).status == 200


@fault("R24")
async def test_a_storm_of_clients_that_leave_frees_every_lease_and_mixes_up_no_replies(limited: Limited) -> None:
    """The key of those who stay has few requests left, that of the others a million."""
    await limited.start(patient=True)
    limited.proxy.latency = 0.02
    for _ in range(10):
        clients = [limited.rig.client() for _ in range(100)]
        await asyncio.gather(*(client.send(asking(VAST)) for client in clients))
        staying = asyncio.get_running_loop().create_task(limited.call(FOREIGN), name="staying")
        await asyncio.sleep(0.01)
        for number, client in enumerate(clients):
            client.leave(reset=number % 2 == 0)
        answer = await staying
        assert answer.status == 200
        assert int(answer.header("x-ratelimit-remaining-requests") or BURST) < BURST
    limited.proxy.latency = 0.0
    await limited.recovered()
    await limited.all_free()
    assert (await limited.used())["concurrent_streams"]["used"] == 0
