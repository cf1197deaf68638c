"""Requests and answers of any size, in one piece or in many, each of which finds the gateway with nothing to do."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.simulator import LAST_CHUNK, Gate, Send, Simulator, Step, Wait, chunked, event, head, json_answer
from tests.counts.calls import EVENT, PLAIN, STREAM, Client
from tests.counts.running import until_idle
from tests.e2e.raw import chat, post

_STREAM_HEAD = head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
_STOP = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
_END = chunked(_STOP) + chunked(event(b"[DONE]")) + LAST_CHUNK

CHUNK = chunked(EVENT)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def request(prompt: int = 2, *, stream: bool = False) -> bytes:
    """`prompt` in bytes."""
    content = [{"role": "user", "content": "x" * prompt}]
    return post({**chat(STREAM if stream else PLAIN, stream=stream), "messages": content})


def answer(text: int = 200, header: int = 0) -> bytes:
    """A plain one: its text, and a header's value, in bytes."""
    message = {"role": "assistant", "content": "x" * text}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    [step] = json_answer(200, body, [("x-padding", "x" * header)])
    assert isinstance(step, Send)
    return step.payload


def chunk(text: int) -> bytes:
    """With one event, whose text has so many bytes."""
    return chunked(event({"choices": [{"index": 0, "delta": {"content": "x" * text}, "finish_reason": None}]}))


def gated(pieces: Sequence[bytes]) -> tuple[list[Step], list[Gate]]:
    """Each but the first waits at a gate of its own."""
    gates = [Gate() for _ in pieces[1:]]
    steps: list[Step] = [Send(pieces[0])]
    for gate, piece in zip(gates, pieces[1:], strict=True):
        steps += [Wait(gate), Send(piece)]
    return steps, gates


def stream(*reads: bytes) -> tuple[list[Step], list[Gate]]:
    """The head with a first event; each of these, when its gate is opened; and the end, at the last gate."""
    return gated([_STREAM_HEAD + CHUNK, *reads, _END])


@dataclass(frozen=True)
class Paced:
    """A client and the upstream; neither sends on before the gateway, process `pid`, is done with what it got."""

    client: Client
    upstream: Simulator
    pid: int

    async def plain(self, request: Sequence[bytes], answer: Sequence[bytes]) -> None:
        """Both in these pieces."""
        steps, gates = gated(answer)
        self.upstream.script = lambda _: steps
        await self._until_it_runs()
        reading = asyncio.get_running_loop().create_task(self.client.answer(), name="read the answer")
        for piece in request:
            await until_idle(self.pid)
            await self.client.upload(piece)
        await self._open(gates)
        await reading

    async def stream(self, *reads: bytes) -> None:
        steps, gates = stream(*reads)
        self.upstream.script = lambda _: steps
        await self.client.upload(request(stream=True))
        await self.client.head()
        reading = asyncio.get_running_loop().create_task(self.client.rest(), name="read the stream")
        await self._open(gates)
        await reading

    async def _until_it_runs(self) -> None:
        """valgrind holds it a while longer than it takes to dump the counts, and then it looks as if it slept."""
        await self.client.get("/healthz")

    async def _open(self, gates: Sequence[Gate]) -> None:
        for gate in gates:
            await gate.until_reached()
            await until_idle(self.pid)
            gate.open()
