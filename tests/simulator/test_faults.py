import asyncio
import gzip
import json
import re

import httptools
import openai
import pytest

from gateway.simulator import FAULTS, LAST_CHUNK, Simulator
from gateway.simulator import faults as catalogue

from .wire import Parsed, chat, connected

CLOSE = b"Connection: close\r\n"
ROLE, FINISH, DONE = rb'data: \{[^\n]*"role"[^\n]*', rb'data: \{[^\n]*"finish_reason":"stop"[^\n]*', rb"data: \[DONE\]"
TOKEN = rb'data: \{[^\n]*"delta":\{"content"[^\n]*'
USAGE = rb'data: \{[^\n]*"choices":\[\],"usage":\{"prompt_tokens":5,[^\n]*'
ERROR = rb'data: \{"error":\{"message":"[^"]+","type":"server_error","param":null,"code":"server_error"\}\}'
THREE = (ROLE, TOKEN, TOKEN)
HEALTHY = (ROLE, *[TOKEN] * 5, FINISH)


def events(*patterns, end=rb"\n\n"):
    return b"".join(pattern + end for pattern in patterns)


@pytest.fixture
async def sim():
    async with Simulator() as running:
        yield running


async def fault(sim, name, *, patience=2.0, headers=CLOSE, **fields):
    async with connected(sim) as wire:
        await wire.ask(chat(f"fault-{name}", **fields), headers=headers)
        return await wire.to_the_end(patience)


STATUSES = [
    pytest.param("status-400", 400, "invalid_request_error", None),
    pytest.param("status-401", 401, "invalid_request_error", "invalid_api_key"),
    pytest.param("status-404", 404, "invalid_request_error", None),
    pytest.param("status-408", 408, "invalid_request_error", None),
    pytest.param("status-409", 409, "invalid_request_error", None),
    pytest.param("status-422", 422, "invalid_request_error", None),
    pytest.param("status-429", 429, "requests", "rate_limit_exceeded"),
    pytest.param("status-500", 500, "server_error", None),
    pytest.param("status-502", 502, "server_error", None),
    pytest.param("status-503", 503, "server_error", None),
    pytest.param("status-529", 529, "server_error", None),
    pytest.param("model-not-found", 404, "invalid_request_error", "model_not_found"),
    pytest.param("context-length", 400, "invalid_request_error", "context_length_exceeded"),
]


@pytest.mark.parametrize(("name", "status", "kind", "code"), STATUSES)
async def test_a_status_comes_with_an_error_in_openais_shape(sim, name, status, kind, code):
    raw, _ = await fault(sim, name)
    parsed = Parsed(raw)
    error = parsed.json["error"]
    assert (parsed.status, error["type"], error["code"], sorted(error)) == (
        status,
        kind,
        code,
        ["code", "message", "param", "type"],
    )
    assert parsed.headers.get(b"retry-after") == (b"7" if status == 429 else None)


# Whole streams, as they are after the chunks are taken off: complete by their own framing.
WHOLE = [
    pytest.param("error-first", events(ERROR), id="error-first"),
    pytest.param("error-string", rb'data: \{"error":"[^"]+"\}\n\n', id="error-string"),
    pytest.param("empty", b"", id="empty"),
    pytest.param("error-mid", events(*THREE, ERROR), id="error-mid"),
    pytest.param("truncated", events(*THREE), id="truncated"),
    pytest.param("no-done", events(*HEALTHY), id="no-done"),
    pytest.param("after-done", events(*HEALTHY, DONE, TOKEN), id="after-done"),
    pytest.param("garbage", events(ROLE) + rb"data: \{not json\n\n.+" + events(*HEALTHY[1:], DONE), id="garbage"),
    pytest.param("bom", b"\xef\xbb\xbf" + events(*HEALTHY, DONE), id="bom"),
    pytest.param("crlf", events(*(p.replace(rb"\n", rb"\r\n") for p in HEALTHY), DONE, end=rb"\r\n\r\n"), id="crlf"),
    pytest.param("pings", rb":\n\n" + rb":\n\n".join(events(p) for p in HEALTHY) + events(DONE), id="pings"),
    pytest.param("huge-line", events(ROLE, TOKEN, TOKEN, *HEALTHY[2:], DONE), id="huge-line"),
    pytest.param("one-byte", events(*HEALTHY, DONE), id="one-byte"),
    pytest.param("two-in-one", events(*HEALTHY, DONE), id="two-in-one"),
    pytest.param("usage-split", events(*HEALTHY, USAGE, DONE), id="usage-split"),
    pytest.param("eof-delimited", events(*HEALTHY, DONE), id="eof-delimited"),
    pytest.param("keepalive-lie", events(*HEALTHY, DONE), id="keepalive-lie"),
    pytest.param("slow-head-1ms", events(*HEALTHY, DONE), id="slow-head"),
    pytest.param("103-flood", events(*HEALTHY, DONE), id="103-flood"),
    pytest.param("many-headers", events(*HEALTHY, DONE), id="many-headers"),
    pytest.param("big-header", events(*HEALTHY, DONE), id="big-header"),
]


def body_of(raw):
    """Interim answers left out; a body without chunks is what is left."""
    while raw.startswith(b"HTTP/1.1 103 "):
        raw = raw.partition(b"\r\n\r\n")[2]
    head, _, rest = raw.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    if b"Transfer-Encoding: chunked" not in head:
        return rest
    parsed = Parsed(raw)
    assert parsed.complete
    return parsed.body


@pytest.mark.parametrize(("name", "pattern"), WHOLE)
async def test_a_whole_stream_says(sim, name, pattern):
    raw, end = await fault(sim, name)
    assert end == "fin"
    assert re.fullmatch(pattern, body_of(raw), re.DOTALL)


# Streams that break: what came of them, its chunks taken off by hand, and how the connection ended.
BROKEN = [
    pytest.param("stall-mid", b"", "silence", id="stall-mid"),
    pytest.param("reset-mid", b"", "rst", id="reset-mid"),
    pytest.param("close-mid", b"", "fin", id="close-mid"),
    pytest.param("cut-event", rb"[0-9a-f]+\r\ndata: \{[^\n]+", "fin", id="cut-event"),
    pytest.param("bad-chunk", rb"XYZ\r\ndata: \{\}\n\n\r\n", "fin", id="bad-chunk"),
]


@pytest.mark.parametrize(("name", "rest", "how"), BROKEN)
async def test_a_broken_stream_has_three_events_and_no_end(sim, name, rest, how):
    raw, end = await fault(sim, name, patience=0.05 if how == "silence" else 2)
    three = b"".join(rb"[0-9a-f]+\r\n" + pattern + rb"\n\n\r\n" for pattern in THREE)
    assert re.fullmatch(rb"HTTP/1\.1 200 OK\r\n.+?\r\n\r\n" + three + rest, raw, re.DOTALL)
    assert end == how


HEADS = [
    pytest.param("silence", b"", "silence", id="silence"),
    pytest.param("slow-head-100ms", b"", "silence", id="slow-head"),
    pytest.param("close-head", b"", "fin", id="close-head"),
    pytest.param("reset-head", b"", "rst", id="reset-head"),
    pytest.param("ssh", rb"SSH-2\.0-[^\r]+\r\n", "fin", id="ssh"),
    pytest.param("bad-status", rb"HTTP/1\.1 999 Odd\r\n.+\{\}", "fin", id="bad-status"),
    pytest.param("redirect", rb"HTTP/1\.1 307 .+\r\nLocation: /v1/elsewhere\r\n.+", "fin", id="redirect"),
    pytest.param(
        "comments-only",
        rb"HTTP/1\.1 200 [^:]+: text/event-stream.+?\r\n\r\n(8\r\n: ping\n\n\r\n)+",
        "silence",
        id="comments-only",
    ),
]


@pytest.mark.parametrize(("name", "pattern", "how"), HEADS)
async def test_in_place_of_a_good_head_comes(sim, name, pattern, how):
    raw, end = await fault(sim, name, patience=0.05 if how == "silence" else 2)
    assert re.fullmatch(pattern, raw, re.DOTALL)
    assert end == how


@pytest.mark.parametrize(
    ("name", "body", "complete"),
    [
        pytest.param("empty-plain", b"", True, id="empty-plain"),
        pytest.param("truncated-plain", rb'\{"id":.{34}', False, id="truncated-plain"),
        pytest.param("broken-json-plain", rb'\{"id":.{100,}[^}]', True, id="broken-json-plain"),
    ],
)
async def test_a_broken_plain_answer_has_the_body(sim, name, body, complete):
    raw, end = await fault(sim, name, stream=False)
    parsed = Parsed(raw)
    assert (parsed.status, parsed.complete, end) == (200, complete, "fin")
    assert parsed.headers[b"content-type"] == b"application/json"
    assert re.fullmatch(body, parsed.body)


@pytest.mark.parametrize("stream", [pytest.param(True, id="streamed"), pytest.param(False, id="plain")])
async def test_gzip_is_encoded_though_nobody_asked(sim, stream):
    parsed = Parsed((await fault(sim, "gzip", stream=stream))[0])
    assert parsed.headers[b"content-encoding"] == b"gzip"
    body = gzip.decompress(parsed.body)
    assert body.endswith(b"data: [DONE]\n\n") if stream else json.loads(body)["object"] == "chat.completion"


async def test_an_early_hints_flood_is_200_interim_answers(sim):
    assert (await fault(sim, "103-flood"))[0].count(b"HTTP/1.1 103 Early Hints\r\n") == 200


async def test_heads_are_as_large_as_they_say(sim):
    assert b"\r\nx-big: " + b"a" * 65536 + b"\r\n" in (await fault(sim, "big-header"))[0]
    assert (await fault(sim, "many-headers"))[0].count(b"\r\nx-many-") == 300


async def test_the_huge_line_has_a_megabyte(sim):
    assert b"a" * 2**20 in (await fault(sim, "huge-line"))[0]


async def test_garbage_has_every_kind_of_oddity(sim):
    body = Parsed((await fault(sim, "garbage"))[0]).body
    with pytest.raises(UnicodeDecodeError):
        body.decode()
    assert all(line in body for line in (b"\nevent: odd\n", b"\nid: 1\n", b"\nretry: 10\n", b"without a colon\n"))


async def test_one_byte_is_one_chunk(sim):
    raw, _ = await fault(sim, "one-byte-1tok")
    chunks = raw.partition(b"\r\n\r\n")[2].removesuffix(LAST_CHUNK)
    assert re.fullmatch(rb"(1\r\n.\r\n)+", chunks, re.DOTALL)


async def test_two_in_one_has_two_events_in_a_chunk(sim):
    pieces = []

    class Chunks(Parsed):
        def on_body(self, body):
            pieces.append(body)

    Chunks((await fault(sim, "two-in-one"))[0])
    assert [piece.count(b"\n\n") for piece in pieces] == [2, 2, 2, 2]


async def test_the_usage_event_is_split_over_two_reads(sim):
    async with connected(sim) as wire:
        await wire.ask(chat("fault-usage-split"))
        async with asyncio.timeout(2):
            while b'"usage":{"pr' not in wire.seen:
                wire.seen += await wire.loop.sock_recv(wire.sock, 65536)
        assert b"prompt_tokens" not in wire.seen
        await wire.until(LAST_CHUNK)


async def test_the_keepalive_lie_promises_and_closes(sim):
    raw, end = await fault(sim, "keepalive-lie", headers=b"")
    assert b"\r\nConnection: keep-alive\r\n" in raw
    assert (raw.endswith(LAST_CHUNK), end) == (True, "fin")


async def test_a_whole_fault_leaves_the_connection_usable(sim):
    async with connected(sim) as wire:
        for name in ("status-500", "error-first", "truncated", "no-done"):
            await wire.ask(chat(f"fault-{name}"))
            await wire.until(b"}}" if name == "status-500" else LAST_CHUNK)
    assert sim.connections == 1


async def test_a_bad_chunk_is_refused_by_a_parser(sim):
    raw, _ = await fault(sim, "bad-chunk")
    with pytest.raises(httptools.HttpParserError):
        Parsed(raw)


async def test_faults_serve_embeddings_too(sim):
    async with connected(sim) as wire:
        await wire.ask(b'{"model":"fault-status-429","input":"a"}', "/v1/embeddings", CLOSE)
        assert Parsed((await wire.to_the_end())[0]).status == 429


@pytest.mark.parametrize(
    ("name", "error"),
    [
        pytest.param("status-429", openai.RateLimitError, id="status-429"),
        pytest.param("error-first", openai.APIError, id="error-first"),
        pytest.param("error-mid", openai.APIError, id="error-mid"),
        pytest.param("reset-head", openai.APIConnectionError, id="reset-head"),
        pytest.param("reset-mid", openai.APIConnectionError, id="reset-mid"),
        pytest.param("close-mid", openai.APIConnectionError, id="close-mid"),
    ],
)
async def test_openais_sdk_raises(sim, name, error):
    async with openai.AsyncOpenAI(base_url=sim.url, api_key="any", max_retries=0, timeout=5) as client:
        with pytest.raises(error):
            async for _ in await client.chat.completions.create(
                model=f"fault-{name}", messages=[{"role": "user", "content": "hi"}], stream=True
            ):
                pass


def test_every_fault_is_described_and_shown_on_the_wire():
    described = set(re.findall(r"^  ((?:[a-z0-9-]+ )*[a-z0-9-]+)(?:  |$)", catalogue.__doc__, re.MULTILINE))
    assert {name for line in described for name in line.split()} == set(FAULTS)
    shown = {param.values[0].removesuffix("-1ms").removesuffix("-100ms") for param in STATUSES + WHOLE + BROKEN + HEADS}
    assert set(FAULTS) - shown == {"gzip", "empty-plain", "truncated-plain", "broken-json-plain"}
