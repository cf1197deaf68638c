"""An attempt at one simulated upstream, and what its answers are made of."""

from collections.abc import Sequence

import pytest

from gateway.core.call import Endpoint
from gateway.core.fault import Fault
from gateway.simulator import (
    Send,
    Simulator,
    Step,
    head,
)
from gateway.state.timers import Wheel
from gateway.upstream.attempt import Attempt
from gateway.upstream.sender import Sender
from tests.upstream.wire import Listening, until
from tests.values import make_ask, make_call, make_target, make_upstream

HEL = b'data: {"choices":[{"delta":{"content":"Hel"}}]}\n\n'
LO = b'data: {"choices":[{"delta":{"content":"lo"}}]}\n\n'
LAST = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
PLAIN = {"choices": [{"message": {"content": "Hello"}}], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}
EVENTS = ("Content-Type", "text/event-stream")
CHUNKS = ("Transfer-Encoding", "chunked")
STREAM_HEAD = Send(head(200, [EVENTS, CHUNKS]))

Steps = Sequence[Step]


class Bench:
    """A sender to one simulated upstream, and a wheel set by hand: nothing times out by itself."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.wheel = Wheel(100.0)
        self.upstream = make_upstream(port=simulator.port)
        self.sender = Sender({"first": self.upstream}, self.wheel)

    async def attempt(
        self, steps: Steps, *, stream: bool = True, deadline: float = 1000.0, endpoint: Endpoint = Endpoint.CHAT
    ) -> Attempt:
        self.simulator.script = lambda _: steps
        target = make_target("gpt", self.upstream, first_byte_timeout=30.0)
        return await self.sender.attempt(target, make_call(endpoint=endpoint), make_ask(stream=stream), deadline)

    async def fault(self, steps: Steps, *, stream: bool = True, deadline: float = 1000.0) -> Fault:
        with pytest.raises(Fault) as caught:
            await self.attempt(steps, stream=stream, deadline=deadline)
        return caught.value

    @property
    def pool(self) -> str:
        return repr(self.sender.pools["first"])


async def rest_of(attempt: Attempt) -> tuple[bytes, str | Fault | None]:
    """Everything that a pipe would get, and how it ends."""
    taken, listening = attempt.take(), Listening()
    attempt.attach(listening)
    await until(lambda: listening.end)
    return taken + listening.payload, listening.end
