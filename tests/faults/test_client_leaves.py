"""Clients that leave, each in its way: what was done for them ends with them, and is paid for as far as it went."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.simulator import Gate, Silence, Wait, event, sse_answer
from tests.catalogue import fault, unable
from tests.e2e.answers import get
from tests.faults.namespace import NETWORK, unshared
from tests.faults.rig import Client, Rig, ask, until

ROOT = Path(__file__).parents[2]
EVENTS = [event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}) for text in "abc"]
TOKENS = 100_000

LEAVINGS = ["fin", "rst", "half-close"]


def limited(config: str, limits: str) -> str:
    """The same with other limits of its one key."""
    text, count = re.subn(r"wide: \{.*\}", f"wide: {{{limits}}}", config)
    assert count == 1
    return text


def leave(client: Client, how: str) -> None:
    if how == "half-close":
        client.half_close()
    else:
        client.leave(reset=how == "rst")


async def start_limited(rig: Rig) -> None:
    """Under limits of every kind, that nobody reaches; hardly anything is refilled while a test runs."""
    limits = f"requests_per_minute: 60, request_burst: 100, tokens_per_minute: 60, token_burst: {TOKENS}"
    await rig.start(limited(rig.config(), f"{limits}, concurrent_streams: 10"))


async def used(rig: Rig, name: str) -> int:
    told: Any = (await get(rig.gateway, "/v1/key")).json
    return int(told["limits"][name]["used"])


async def until_left(rig: Rig, index: int = 0) -> None:
    """The upstream sees the gateway go."""
    async with asyncio.timeout(5):
        departure = await rig.first.until_left(rig.first.requests[index])
    assert departure.by_peer


class TestBeforeTheFirstByte:
    @pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
    @pytest.mark.parametrize(
        "how",
        [
            pytest.param("fin", marks=fault("C01"), id="c01-fin"),
            pytest.param("rst", marks=fault("C01"), id="c01-rst"),
            pytest.param("half-close", marks=fault("C04"), id="c04-half-close"),
        ],
    )
    async def test_the_upstream_is_left_no_other_is_asked_and_no_token_is_paid(
        self, rig: Rig, how: str, stream: bool
    ) -> None:
        await start_limited(rig)
        gate = Gate()
        rig.first.script = lambda request: [Wait(gate)]
        client = rig.client()
        await client.send(ask("fast", stream=stream))
        await gate.until_reached()
        leave(client, how)
        await until_left(rig)
        call = await rig.gateway.last_call()
        assert (call["outcome"], call["status"]) == ("client_gone", 499)
        assert "completion_tokens" not in call
        assert [attempt["outcome"] for attempt in call["attempts"]] == ["cancelled"]
        assert not rig.second.requests
        assert await used(rig, "concurrent_streams") == 0
        assert await used(rig, "tokens_per_minute") == 0
        assert await used(rig, "requests_per_minute") == 1
        assert rig.metric("client_disconnects_total", phase="before") == 1


class TestInMidStream:
    @pytest.mark.parametrize(
        "how",
        [
            pytest.param("rst", marks=fault("C02"), id="c02-rst"),
            pytest.param("fin", marks=fault("C03"), id="c03-fin"),
            pytest.param("half-close", marks=fault("C04"), id="c04-half-close"),
        ],
    )
    async def test_the_upstream_is_left_and_what_was_sent_is_paid(self, rig: Rig, how: str) -> None:
        await start_limited(rig)
        rig.first.script = lambda request: [*sse_answer(EVENTS)[:4], Silence()]
        client = rig.client()
        await client.send(ask("fast"))
        await client.until(EVENTS[-1])
        leave(client, how)
        await until_left(rig)
        call = await rig.gateway.last_call()
        assert (call["outcome"], call["status"], call["usage_source"]) == ("client_gone", 499, "estimated")
        assert call["completion_tokens"] == len(EVENTS)
        paid = call["prompt_tokens"] + len(EVENTS)
        assert paid - 10 <= await used(rig, "tokens_per_minute") <= paid
        assert await used(rig, "concurrent_streams") == 0
        assert not rig.second.requests
        assert rig.metric("client_disconnects_total", phase="after") == 1

    @fault("C02", "C03")
    async def test_a_client_that_leaves_with_its_upstream_is_counted_once(self, rig: Rig) -> None:
        """Both at one moment: whichever is seen first, one lease is freed and one line written."""
        await start_limited(rig)
        gate = Gate()
        rig.first.script = lambda request: [*sse_answer(EVENTS)[:4], Wait(gate)]
        clients = [rig.client() for _ in range(8)]
        for number, client in enumerate(clients):
            await client.send(ask("fast"))
            await client.until(EVENTS[-1])
            assert await used(rig, "concurrent_streams") == number + 1
        gate.open()
        for number, client in enumerate(clients):
            client.leave(reset=number % 2 == 0)
        await rig.gateway.last_call(len(clients))
        await until(lambda: not len(rig.gateway.app.live), "calls are under way")
        assert len(rig.gateway.calls()) == len(clients)
        assert {call["outcome"] for call in rig.gateway.calls()} <= {"client_gone", "broken"}
        assert await used(rig, "concurrent_streams") == 0


@fault("C11")
@pytest.mark.parametrize("how", LEAVINGS)
async def test_c11_an_upload_that_is_broken_off_is_not_admitted(rig: Rig, how: str) -> None:
    """The catalogue wants it counted as `bad_request`; it is a client that left, as before any other first byte."""
    await start_limited(rig)
    client = rig.client()
    await client.send(ask("fast")[:-5])
    await until(lambda: len(rig.gateway.app.live), "the call is not under way")
    leave(client, how)
    call = await rig.gateway.last_call()
    assert (call["outcome"], call["status"]) == ("client_gone", 499)
    assert not rig.first.requests
    assert await used(rig, "requests_per_minute") == 0
    assert await used(rig, "tokens_per_minute") == 0


@fault("C12")
async def test_c12_a_client_that_vanishes_without_a_word_is_cut_and_its_place_is_free(
    request: pytest.FixtureRequest,
) -> None:
    """In network namespaces of its own, whose link is taken down under an open stream."""
    inside = unshared(NETWORK)
    if inside is None or not all(map(shutil.which, ("ip", "nsenter"))):
        unable(request, "C12", "needs network namespaces, and iproute2")
        return
    command = [*inside, sys.executable, "-m", "tests.faults.vanish"]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said, errors = await process.communicate()
    if b"not permitted" in errors or b"not supported" in errors:
        unable(request, "C12", "needs pairs of virtual links")
        return
    assert process.returncode == 0, errors.decode()
    found = json.loads(said)
    assert found == {"outcome": "client_gone", "code": "client_stalled", "running": 0, "upstream_left": True}
