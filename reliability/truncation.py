"""Streams that end too early, read by the unmodified `openai` package: it raises, and never takes one for complete."""

import asyncio
import json
from collections.abc import Iterator

from openai import APIError, AsyncOpenAI

from gateway.simulator import LAST_CHUNK, Close, Request, Reset, Send, Step, chunked, head
from gateway.simulator.faults.streams import BREAKING, WITHOUT_EVENT
from gateway.simulator.server import Script
from reliability.client import KEY
from reliability.promise import Figure, Run, none
from reliability.serving import Serving, Settings, place

CLIENTS = 8
HEAD = head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
ENDLESS = head(200, [("Content-Type", "text/event-stream"), ("Connection", "close")])
WORDS = ("Well", ", ", "höhe", " 🙂", "\\n\\n")
TIMEOUTS = ", first_byte_timeout: 300ms, idle_timeout: 300ms"


def _event(delta: str, reason: str = "null") -> bytes:
    frame = '"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"cut"'
    return f'data: {{{frame},"choices":[{{"index":0,"delta":{delta},"finish_reason":{reason}}}]}}\n\n'.encode()


BEGUN = b"".join(_event(f'{{"content":"{word}"}}') for word in WORDS)
FINISH = _event("{}", '"stop"')
ENDINGS: dict[str, Step] = {"fin": Close(), "rst": Reset(), "whole": Send(LAST_CHUNK), "eof": Close()}


def cut_short(request: Request) -> Iterator[Step]:
    """`cut-<way>-<n>`: n bytes, then FIN or RST inside the chunked body, its proper end, or that of a body without."""
    _, way, count = json.loads(request.body)["model"].split("-")
    sent = (BEGUN + FINISH)[: int(count)]
    if way == "eof":
        yield Send(ENDLESS + sent)
    else:
        yield Send(HEAD + chunked(sent) if sent else HEAD)
    yield ENDINGS[way]


async def truncation(run: Run) -> list[Figure]:
    step = 11 if run.quick else 1
    # Without the blank line behind it the last event is still whole, and it says that nothing is missing.
    text = BEGUN + FINISH.rstrip()
    cuts = [f"first/cut-{way}-{count}" for way in ENDINGS for count in range(0, len(text), step)]
    faults = [f"first/fault-{name}" for name in (*BREAKING, *WITHOUT_EVENT) if name != "comments-only"]
    async with place(run) as here, here.gateway(Settings(models=TIMEOUTS)) as gateway:
        here.first.script = _both(here.first.script)
        believed = await _believed(gateway, faults + cuts)
    if believed:
        print(f"taken for complete: {', '.join(believed[:10])}")
    return [none("truncated streams that an SDK takes for complete", len(believed), f"{len(faults + cuts):,}")]


def _both(provider: Script) -> Script:
    return lambda request: cut_short(request) if b'"cut-' in request.body else provider(request)


async def _believed(gateway: Serving, models: list[str]) -> list[str]:
    """Models whose stream ended without an error."""
    waiting = iter(models)
    believed: list[str] = []

    async def client() -> None:
        url = f"http://127.0.0.1:{gateway.port}/v1"
        async with AsyncOpenAI(api_key=KEY, base_url=url, max_retries=0) as openai:
            for model in waiting:
                if await _ends_well(openai, model):
                    believed.append(model)

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return believed


async def _ends_well(openai: AsyncOpenAI, model: str) -> bool:
    try:
        stream = await openai.chat.completions.create(
            model=model, stream=True, messages=[{"role": "user", "content": "Hello"}]
        )
        async for _ in stream:
            pass
    except APIError:
        return False
    return True
