"""Streams through real sockets: every byte boundary, breaks, pings, fallbacks, and how the wire ends."""

import asyncio
import json

import pytest

from gateway.simulator import (
    Close,
    Gate,
    Pause,
    Reset,
    Send,
    Silence,
    Simulator,
    Step,
    Wait,
    chunked,
    error_answer,
    head,
    sse_answer,
)
from tests.catalogue import fault
from tests.conftest import StartGateway
from tests.e2e.raw import RawClient, chat, post, unchunked

EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2}}\n\n'
DONE = b"data: [DONE]\n\n"
STREAM = EVENT + EVENT + STOP + USAGE + DONE
SHOWN = EVENT + EVENT + STOP + DONE
SSE_HEAD = head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])

BREAKS = {
    "reset": [Reset()],
    "close": [Close()],
    "half an event": [Send(chunked(EVENT[:20])), Close()],
    "half a chunk": [Send(chunked(EVENT)[:20]), Close()],
    "bad chunk size": [Send(b"zz\r\n" + EVENT)],
    "terminal chunk too early": [Send(b"0\r\n\r\n")],
}


async def ask(client: RawClient, request: bytes) -> tuple[bytes, bytes, bool]:
    """Head, payload, and whether the stream ended with its terminal chunk, of a connection that ends after it."""
    await client.send(request)
    answer, _ = await client.rest()
    start, _, body = answer.partition(b"\r\n\r\n")
    payload, complete = unchunked(body)
    client.leave()
    return start, payload, complete


LAST = "Connection: close\r\n"


@fault("U41")
async def test_a_stream_is_the_same_wherever_the_upstream_cuts_it(
    start_gateway: StartGateway, two_upstreams: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(two_upstreams)
    for cut in range(1, len(STREAM)):
        parts: list[Step] = [
            Send(SSE_HEAD + chunked(STREAM[:cut])),
            Pause(0),
            Send(chunked(STREAM[cut:]) + b"0\r\n\r\n"),
        ]
        upstream.script = lambda request, parts=parts: parts
        _, payload, complete = await ask(RawClient(gateway.port), post(chat("fast"), headers=LAST))
        assert (payload, complete) == (SHOWN, True), cut
        call = await gateway.last_call(cut)
        assert (call["prompt_tokens"], call["completion_tokens"], call["usage_source"]) == (7, 2, "provider"), cut


@fault("U41")
async def test_a_stream_is_the_same_wherever_the_socket_cuts_it(
    start_gateway: StartGateway, two_upstreams: str, upstream: Simulator
) -> None:
    """Also inside the chunk framing: a size line split over two reads must not be taken for a whole chunk."""
    gateway = await start_gateway(two_upstreams)
    wire = SSE_HEAD + b"".join(chunked(e) for e in (EVENT, EVENT, STOP, USAGE, DONE)) + b"0\r\n\r\n"
    for cut in range(1, len(wire)):
        upstream.script = lambda request, cut=cut: [Send(wire[:cut]), Pause(0), Send(wire[cut:])]
        _, payload, complete = await ask(RawClient(gateway.port), post(chat("fast"), headers=LAST))
        assert (payload, complete) == (SHOWN, True), cut


async def test_events_arrive_one_by_one(start_gateway: StartGateway, two_upstreams: str, upstream: Simulator) -> None:
    gateway = await start_gateway(two_upstreams)
    gates = [Gate(), Gate()]
    upstream.script = lambda request: [
        Send(SSE_HEAD + chunked(EVENT)),
        Wait(gates[0]),
        Send(chunked(EVENT)),
        Wait(gates[1]),
        Send(chunked(STOP + DONE) + b"0\r\n\r\n"),
    ]
    client = RawClient(gateway.port)
    await client.send(post(chat("fast"), headers=LAST))
    assert (await client.until(EVENT)).endswith(chunked(EVENT))
    gates[0].open()
    assert await client.until(EVENT) == chunked(EVENT), "the upstream's framing, as it came"
    gates[1].open()
    assert (await client.rest())[0].endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("ending", BREAKS.values(), ids=BREAKS.keys())
async def test_a_stream_that_breaks_says_so_and_is_cut(
    ending: list[Step], start_gateway: StartGateway, two_upstreams: str, upstream: Simulator, second: Simulator
) -> None:
    gateway = await start_gateway(two_upstreams)
    gate = Gate()
    upstream.script = lambda request: [Send(SSE_HEAD + chunked(EVENT)), Wait(gate), *ending]
    client = RawClient(gateway.port)
    await client.send(post(chat("fast")))
    answer = await client.until(EVENT)
    gate.open()
    answer += (await client.rest())[0]
    payload, complete = unchunked(answer.partition(b"\r\n\r\n")[2])
    assert not complete
    assert payload.startswith(EVENT)
    assert json.loads(payload.split(b"data: ")[-1])["error"]["code"] == "upstream_interrupted"
    assert b"[DONE]" not in payload
    assert not second.requests, "nothing is retried after the first byte"
    call = await gateway.last_call()
    assert (call["outcome"], call["status"], call["code"]) == ("broken", 200, "upstream_interrupted")


async def test_a_broken_stream_to_an_http_1_0_client_ends_in_a_reset(
    start_gateway: StartGateway, two_upstreams: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(two_upstreams)
    gate = Gate()
    upstream.script = lambda request: [Send(SSE_HEAD + chunked(EVENT)), Wait(gate), Reset()]
    client = RawClient(gateway.port)
    await client.send(post(chat("fast"), version="1.0"))
    assert (await client.until(EVENT)).endswith(b"\r\n\r\n" + EVENT), "no chunks for HTTP/1.0"
    gate.open()
    assert (await client.rest())[1] == "rst"


async def test_a_silent_stream_is_kept_alive_with_comments(
    start_gateway: StartGateway, two_upstreams: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(
        two_upstreams.replace('listen: "127.0.0.1:0"', 'listen: "127.0.0.1:0", keep_alive_interval: 100ms')
    )
    gate = Gate()
    upstream.script = lambda request: [Send(SSE_HEAD + chunked(EVENT)), Wait(gate), Send(chunked(STOP + DONE))]
    client = RawClient(gateway.port)
    await client.send(post(chat("fast"), headers=LAST))
    answer = await client.until(chunked(b": ping\n") * 2)
    gate.open()
    payload, complete = unchunked((answer + (await client.rest())[0]).partition(b"\r\n\r\n")[2])
    assert complete
    assert payload.replace(b": ping\n", b"") == EVENT + STOP + DONE


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        pytest.param([Close()], "up_reset", id="closed"),
        pytest.param([Reset()], "up_reset", id="reset"),
        pytest.param(error_answer(503, "no"), "up_5xx", id="503"),
        pytest.param(error_answer(401, "no"), "up_auth", id="401"),
        pytest.param(error_answer(429, "no", headers=[("Retry-After", "7")]), "up_429", id="429"),
        pytest.param(error_answer(404, "no", code="model_not_found"), "up_model_missing", id="no such model"),
        pytest.param([Send(b"SSH-2.0-OpenSSH\r\n")], "up_protocol", id="another protocol"),
        pytest.param([Send(head(302, [("Location", "/"), ("Content-Length", "0")]))], "up_protocol", id="redirect"),
        pytest.param(sse_answer([], done=False), "up_empty", id="no event"),
        pytest.param(sse_answer([], done=True), "up_empty", id="only done"),
        pytest.param(sse_answer([b'data: {"error": {"message": "no"}}\n\n']), "up_5xx", id="error first"),
        pytest.param(sse_answer([b'data: {"error": "no"}\n\n']), "up_5xx", id="error string first"),
        pytest.param([Send(SSE_HEAD + chunked(b": hello\n\n")), Silence()], "up_timeout_first", id="comments only"),
        pytest.param([Silence()], "up_timeout_first", id="silence"),
    ],
)
async def test_falls_back_on_any_failure_before_the_first_byte(
    script: list[Step], reason: str, start_gateway: StartGateway, two_upstreams: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(
        two_upstreams.replace("{max_retries: 0}", "{max_retries: 0, first_byte_timeout: 200ms}")
    )
    upstream.script = lambda request: script
    start, payload, complete = await ask(RawClient(gateway.port), post(chat("fast"), headers=LAST))
    assert complete
    assert b"x-fallback-used: true" in start.lower()
    assert b"X-Provider: second" in start
    assert payload.endswith(DONE)
    call = await gateway.last_call()
    assert [attempt["outcome"] for attempt in call["attempts"]] == [reason, "ok"]


async def test_a_refused_connection_falls_back(
    start_gateway: StartGateway, two_upstreams: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(two_upstreams)
    await upstream.close()
    start, _, complete = await ask(RawClient(gateway.port), post(chat("fast"), headers=LAST))
    assert complete
    assert b"X-Fallback-Used: true" in start
    assert (await gateway.last_call())["attempts"][0]["outcome"] == "up_connect"


async def test_the_upstreams_own_headers_and_the_clients_stay_behind(
    start_gateway: StartGateway, two_upstreams: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(two_upstreams)
    upstream.script = lambda request: sse_answer(
        [EVENT, STOP], headers=[("Set-Cookie", "a=b"), ("x-ratelimit-remaining-requests", "1"), ("Server", "x")]
    )
    extra = (
        "Cookie: c=d\r\nX-Forwarded-For: 1.2.3.4\r\nOpenAI-Organization: evil\r\nOpenAI-Beta: on\r\nUser-Agent: me\r\n"
    )
    start, _, _ = await ask(RawClient(gateway.port), post(chat("fast"), headers=LAST + extra))
    for name in (b"set-cookie", b"x-ratelimit-remaining-requests", b"server:"):
        assert name not in start.lower()
    sent = {name.lower(): value for name, value in upstream.requests[0].headers}
    assert sent[b"openai-beta"] == b"on"
    assert sent[b"user-agent"] == b"me"
    assert sent[b"accept-encoding"] == b"identity"
    assert not sent.keys() & {b"cookie", b"x-forwarded-for", b"openai-organization", b"authorization"}


async def test_fifty_calls_with_one_request_id_are_fifty_calls(start_gateway: StartGateway, two_upstreams: str) -> None:
    gateway = await start_gateway(two_upstreams)
    request = post(chat("fast"), headers=LAST + "X-Request-Id: same\r\n")
    answers = await asyncio.gather(*(ask(RawClient(gateway.port), request) for _ in range(50)))
    assert all(complete and b"x-request-id: same" in start.lower() for start, _, complete in answers)
    await gateway.last_call(50)
    assert len({call["call_id"] for call in gateway.calls()}) == 50


async def test_what_only_a_wildcard_covers_is_passed_on_by_its_rest(
    start_gateway: StartGateway, two_upstreams: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(two_upstreams)
    start, _, _ = await ask(RawClient(gateway.port), post(chat("first/a/b:c"), headers=LAST))
    assert b"X-Model-Name: first/a/b:c" in start
    assert json.loads(upstream.requests[0].body)["model"] == "a/b:c"
    client = RawClient(gateway.port)
    await client.send(post(chat("first/a\r\nX-Evil: 1"), headers=LAST))
    answer, _ = await client.rest()
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"Evil" not in answer
    assert len(upstream.requests) == 1
