"""Redis away, silent, or of no use, as clients see it: the policy at once, open streams go on, all is well after."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from tests.catalogue import fault
from tests.faults.limited import (
    PAYER,
    Limited,
    assert_denied,
    is_degraded,
    limited_gateway,  # noqa: F401 - a fixture
    until,
)
from tests.redis_server import RedisServer
from tests.store.test_faults import FAULTS
from tests.waits import EXTRA_WAIT

Act = Callable[[Limited], Awaitable[None]]
OfServer = Callable[[RedisServer], Awaitable[None]]


def of_server(act: object) -> Act:
    async def acting(limited: Limited) -> None:
        with limited.rig.blocking():
            await cast(OfServer, act)(limited.server)

    return acting


async def _load_for_long(limited: Limited) -> None:
    server = limited.server
    await server.ask("DEBUG", "POPULATE", "3000")
    await server.ask("SAVE")
    server.options |= {"key-load-delay": "3000", "loading-process-events-interval-bytes": "1024"}
    await asyncio.to_thread(server.restart)
    assert "LOADING" in await server.text("PING")


async def _load_at_once(limited: Limited) -> None:
    await limited.server.text("CONFIG", "SET", "key-load-delay", "0")


async def _leave_no_room(limited: Limited) -> None:
    limited.only = await limited.exits.enter_async_context(limited.server.client())
    await limited.only.config_set("maxclients", 1)
    await limited.only.client_kill_filter(_type="normal", skipme=True)
    await until(lambda: _meets(limited, "connection"))


async def _make_room(limited: Limited) -> None:
    assert limited.only is not None
    await limited.only.config_set("maxclients", 100)
    await limited.exits.aclose()


async def _meets(limited: Limited, kind: str) -> bool:
    return bool(limited.rig.metric("store_errors_total", op="connect", kind=kind))


async def _change_password(limited: Limited) -> None:
    async with limited.server.client() as client:
        await client.config_set("requirepass", "another")
        await client.client_kill_filter(_type="normal", skipme=True)
    await until(lambda: _meets(limited, "auth"))


async def _change_it_back(limited: Limited) -> None:
    async with limited.server.client(password="another") as client:
        await client.config_set("requirepass", "")


async def _swallow(limited: Limited) -> None:
    limited.proxy.blackhole = True


async def _pass_again(limited: Limited) -> None:
    limited.proxy.blackhole = False


async def _slow_down(limited: Limited) -> None:
    limited.proxy.latency = 0.3


async def _speed_up(limited: Limited) -> None:
    limited.proxy.latency = 0.0


OUTAGES = [
    *(
        pytest.param(of_server(param.values[0]), of_server(param.values[1]), id=param.id, marks=param.marks)
        for param in FAULTS
    ),
    pytest.param(_slow_down, _speed_up, id="R07 slower than the timeout", marks=fault("R07")),
    pytest.param(_load_for_long, _load_at_once, id="R08 loading", marks=fault("R08")),
    pytest.param(_leave_no_room, _make_room, id="R11 no connection to spare", marks=fault("R11")),
    pytest.param(_change_password, _change_it_back, id="R12 another password", marks=fault("R12")),
    pytest.param(_swallow, _pass_again, id="R19 a black hole", marks=fault("R19")),
]


@pytest.mark.parametrize(
    ("policy", "fail", "mend"),
    [
        pytest.param(policy, *param.values, id=f"{param.id}, {policy}", marks=param.marks)
        for policy, outages in (("local", OUTAGES), ("deny", OUTAGES[:4]))
        for param in outages
    ],
)
async def test_calls_go_by_the_policy_and_soon_by_redis_again(
    limited: Limited, policy: str, fail: Act, mend: Act, request: pytest.FixtureRequest
) -> None:
    await limited.start(policy)
    stream = await limited.stream()
    assert not is_degraded(await limited.call())
    await limited.until_held(1)
    await fail(limited)
    limited.waits.clear()
    for _ in range(3):
        answer = await limited.call()
        if policy == "deny":
            assert_denied(answer)
        else:
            assert answer.status == 200
            assert is_degraded(answer)
        assert_denied(await limited.call(PAYER))
    assert max(limited.waits) < EXTRA_WAIT
    assert (await limited.get("/healthz")).status == 200
    # A full store still ends calls, and is asked for each.
    ready = policy == "local" or "R06" in request.node.name
    assert (await limited.get("/readyz")).status == (200 if ready else 503)
    assert limited.rig.metric("store_degraded") == 1
    await limited.end_streams(stream)
    assert stream.seen.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    await mend(limited)
    await limited.recovered()
    assert (await limited.get("/readyz")).status == 200
    assert limited.rig.metric("store_degraded") == 0
    assert (await limited.call(PAYER)).status == 200
    await limited.all_free()
    told = [line["event"] for line in limited.rig.gateway.log() if line["event"].startswith("store")]
    assert told == ["store degraded", "store recovered"]
