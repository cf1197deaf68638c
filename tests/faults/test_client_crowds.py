"""Many clients at once: more than there are descriptors, than a connection is asked in turn, than a limit lets in."""

import asyncio
import itertools
from collections import Counter
from pathlib import Path

from openai import AsyncOpenAI, RateLimitError

from gateway.simulator import Silence, event, json_answer, sse_answer
from tests.catalogue import fault
from tests.conftest import KEY
from tests.e2e.raw import RawClient, chat, post
from tests.faults.rig import LAST, Rig, Said, ask, until
from tests.faults.test_client_leaves import limited
from tests.processes.served import started
from tests.simulator.wire import Parsed

EVENT = event({"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": None}]})
PLAIN = {"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
DESCRIPTORS, SILENT = 96, 150

# `gateway serve` with no more descriptors than that.
SERVE = """
import resource, sys
from gateway.__main__ import main
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]),) * 2)
sys.exit(main(["serve", "--config", sys.argv[2]]))
"""


@fault("C09")
async def test_c09_silent_connections_beyond_the_descriptors_end_no_stream_and_pass(tmp_path: Path, rig: Rig) -> None:
    """Those for which there is none are closed as they come; the others when their `header_timeout` is over."""
    file = tmp_path / "routes.yaml"
    file.write_text(rig.config(server="header_timeout: 2s"))
    async with started("-c", SERVE, str(DESCRIPTORS), str(file), workers=1) as served:
        streams = [RawClient(served.port) for _ in range(4)]
        for stream in streams:
            await stream.send(post(chat("first/sim-50tps-100000tok")))
            await stream.until(b'"content":')
        silent = [RawClient(served.port) for _ in range(SILENT)]
        for client in silent:
            await client.send(b"")
        refused = sum(await asyncio.gather(*map(_is_closed, silent)))
        assert 0 < refused < SILENT
        for stream in streams:
            await stream.until(b'"content":')
        async with asyncio.timeout(15):
            for client in silent:
                await client.rest()
        assert Parsed(b"".join([await _once(served.port)])).status == 200
        for stream in streams:
            await stream.until(b'"content":')
        assert len([line for line in served.lines if line["event"] != "call"]) <= 5, "a line for each of them"


async def _once(port: int) -> bytes:
    client = RawClient(port)
    await client.send(post(chat("first/a", stream=False), headers=LAST))
    return (await client.rest())[0]


async def _is_closed(client: RawClient) -> bool:
    try:
        async with asyncio.timeout(0.2):
            return not await asyncio.get_running_loop().sock_recv(client.socket, 1)
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True


@fault("C10")
async def test_c10_requests_in_one_segment_are_answered_in_order_and_each_is_counted(rig: Rig) -> None:
    count, burst = 50, 40
    await rig.start(limited(rig.config(), f"requests_per_minute: 1, request_burst: {burst}"))
    rig.first.script = lambda request: json_answer(200, PLAIN)
    client = rig.client()
    requests = [
        ask("first/a", stream=False, headers=f"X-Request-Id: {number}\r\n{LAST if number == count - 1 else ''}")
        for number in range(count)
    ]
    await client.send(b"".join(requests))
    _, end = await client.rest()
    answers = Said(bytes(client.seen)).answers
    assert end == "fin"
    assert [headers[b"x-request-id"] for _, headers, _ in answers] == [b"%d" % number for number in range(count)]
    assert [status for status, _, _ in answers] == [200] * burst + [429] * (count - burst)
    assert len(rig.first.requests) == burst
    assert Counter(call["outcome"] for call in rig.gateway.calls()) == {"ok": burst, "refused": count - burst}


@fault("C13")
async def test_c13_a_call_beyond_the_connections_of_an_upstream_is_told_to_come_back(rig: Rig) -> None:
    await rig.start(rig.config().replace("connect_timeout: 500ms}", "connect_timeout: 200ms, max_connections: 2}"))
    rig.first.script = lambda request: [*sse_answer([EVENT])[:2], Silence()]
    held = [rig.client() for _ in range(2)]
    for client in held:
        await client.send(ask("first/a"))
        await client.until(EVENT)
    answer = await rig.ask("first/a")
    assert answer.error == (503, "overloaded")
    assert answer.header("retry-after") == "1"
    assert rig.first.connections == 2
    for client in held:
        client.leave()
    await until(lambda: not len(rig.gateway.app.live), "calls are under way")
    rig.first.script = lambda request: json_answer(200, PLAIN)
    assert (await rig.ask("first/a", stream=False)).status == 200


@fault("C14")
async def test_c14_a_storm_of_retries_takes_nothing_from_the_quota(rig: Rig) -> None:
    """Three clients whose SDK tries each call three times: the upstream sees what the limit lets in, and no more."""
    await rig.start(limited(rig.config(), "requests_per_minute: 600, request_burst: 2"))
    rig.first.script = lambda request: json_answer(200, PLAIN)

    with rig.blocking():  # each reads its certificates
        clients = [AsyncOpenAI(api_key=KEY, base_url=rig.gateway.url, max_retries=2) for _ in range(3)]

    async def storm(client: AsyncOpenAI) -> list[int]:
        statuses: list[int] = []
        async with client:
            for _ in range(6):
                try:
                    await client.chat.completions.create(model="first/a", messages=[{"role": "user", "content": "hi"}])
                except RateLimitError as error:
                    statuses.append(error.status_code)
                else:
                    statuses.append(200)
        return statuses

    statuses = [*itertools.chain(*await asyncio.gather(*map(storm, clients)))]
    served = statuses.count(200)
    calls = Counter(call["outcome"] for call in rig.gateway.calls())
    assert served >= 3
    assert calls["ok"] == served == len(rig.first.requests)
    assert calls["refused"] > 0
    assert rig.metric("refusals_total", limit="requests") == calls["refused"]
    assert {call["retry_count"] for call in rig.gateway.calls() if call["outcome"] == "refused"} >= {0, 1}
