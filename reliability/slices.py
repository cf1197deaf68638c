"""Streams whose upstream cuts them anywhere, into chunks and into writes: the client gets the same bytes."""

import asyncio
import itertools
import json
import random
from collections.abc import Iterator

from gateway.simulator import LAST_CHUNK, Pause, Request, Send, Step, chunked, head
from reliability.client import Client, post
from reliability.promise import Figure, Run, none
from reliability.serving import Place, Serving, Settings, place

COUNT = 100_000
CLIENTS = 16
HEAD = head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
WORDS = ("plain", "höhe", "日本語", "🙂", "\\n\\n", "data:", "[DONE]", " ", "")


def payload(seed: int) -> bytes:
    """A stream with its usage, numbered so that no event is like another of this or another stream."""
    dice = random.Random(seed)
    end = dice.choice((b"\n", b"\n", b"\r\n"))
    events = [_event(f'{{"content":"{seed}.{number} {dice.choice(WORDS)}"}}', "null") for number in range(6)]
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":6,"total_tokens":11}}\n\n'
    text = b"".join((*events, _event("{}", '"stop"'), usage, b"data: [DONE]\n\n"))
    return text if end == b"\n" else text.replace(b"\n", end)


def _event(delta: str, reason: str) -> bytes:
    return f'data: {{"choices":[{{"index":0,"delta":{delta},"finish_reason":{reason}}}]}}\n\n'.encode()


def sliced(request: Request) -> Iterator[Step]:
    """Chunks and writes are cut independently of each other, and of events and characters."""
    seed = int(json.loads(request.body)["model"].rpartition("-")[2])
    dice = random.Random(-seed)
    framed = b"".join(chunked(piece) for piece in _cut(payload(seed), dice)) + LAST_CHUNK
    yield Send(HEAD)
    for piece in _cut(framed, dice):
        yield Pause(0)
        yield Send(piece)


def _cut(whole: bytes, dice: random.Random) -> list[bytes]:
    at = sorted({0, len(whole), *(dice.randrange(1, len(whole)) for _ in range(dice.randrange(6)))})
    return [whole[begin:end] for begin, end in itertools.pairwise(at)]


async def slices(run: Run) -> list[Figure]:
    count = 2_000 if run.quick else COUNT
    async with place(run) as here, here.gateway(Settings()) as gateway:
        damaged = await _damaged(here, gateway, count)
    return [none("streams cut at random bytes: any byte lost, added, or out of order", damaged, f"{count:,}")]


async def _damaged(here: Place, gateway: Serving, count: int) -> int:
    here.first.script = sliced
    seeds = iter(range(1, count + 1))
    damaged = 0

    async def client() -> None:
        nonlocal damaged
        own = Client(gateway.port)
        for seed in seeds:
            request = post(f"first/slices-{seed}", stream=True, stream_options={"include_usage": True})
            answer = await own.ask(request)
            damaged += not (answer.complete and bytes(answer.body) == payload(seed))
        own.leave()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return damaged
