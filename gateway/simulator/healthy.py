"""A healthy answer, at its pace."""

from collections.abc import Iterator

from gateway.simulator.answer import Headers, json_answer, sse_steps
from gateway.simulator.chat import Completion
from gateway.simulator.step import Pause, Step


def healthy(completion: Completion, headers: Headers = ()) -> Iterator[Step]:
    """A plain answer comes when its last token would."""
    if completion.stream:
        interval = completion.pace.seconds(1) / completion.n
        yield from sse_steps(completion.events(), chunked=True, done=True, interval=interval, headers=headers)
        return
    if seconds := completion.pace.seconds(len(completion.tokens)):
        yield Pause(seconds)
    yield from json_answer(200, completion.plain(), headers)
