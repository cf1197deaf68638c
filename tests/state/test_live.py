import pytest

from gateway.core.errors import Break, StreamDrained
from gateway.state.live import Live


class Task:
    def __init__(self) -> None:
        self.cancelled = 0

    def cancel(self) -> None:
        self.cancelled += 1


class Stream:
    def __init__(self) -> None:
        self.reasons: list[Break] = []

    def break_off(self, reason: Break) -> None:
        self.reasons.append(reason)


def test_calls_are_counted_while_they_are_under_way() -> None:
    live = Live()
    with live.call(Task()):
        with live.call(Task()):
            assert len(live) == 2
        assert len(live) == 1
    assert len(live) == 0


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_call_that_fails_is_forgotten_like_any_other(error: type[BaseException]) -> None:
    live = Live()
    with pytest.raises(error), live.call(Task()) as call, live.stream(call, Stream(), "gpt"):
        raise error
    assert len(live) == 0
    assert live.streams["gpt"] == 0


def test_streams_are_counted_by_model() -> None:
    live = Live()
    with live.call(Task()) as first, live.call(Task()) as second:
        with live.stream(first, Stream(), "gpt"), live.stream(second, Stream(), "claude"):
            assert live.streams == {"gpt": 1, "claude": 1}
            with live.call(Task()) as third, live.stream(third, Stream(), "gpt"):
                assert live.streams["gpt"] == 2
        assert live.streams == {"gpt": 0, "claude": 0}


def test_a_cut_ends_streams_with_a_reason_and_other_calls_by_cancelling() -> None:
    live, waiting, streaming, done, stream = Live(), Task(), Task(), Task(), Stream()
    with live.call(done):
        pass
    with live.call(waiting), live.call(streaming) as call, live.stream(call, stream, "gpt"):
        cut_off = [live.cut_off]
        live.cut()
        assert [*cut_off, live.cut_off] == [False, True]
    assert [type(reason) for reason in stream.reasons] == [StreamDrained]
    assert (waiting.cancelled, streaming.cancelled, done.cancelled) == (1, 0, 0)


def test_a_call_whose_stream_is_over_is_cancelled_and_its_stream_left_alone() -> None:
    live, task, stream = Live(), Task(), Stream()
    with live.call(task) as call:
        with live.stream(call, stream, "gpt"):
            pass
        live.cut()
    assert (task.cancelled, stream.reasons) == (1, [])


def test_a_call_may_end_while_the_others_are_being_cut() -> None:
    live = Live()
    ended = []

    class Leaving(Stream):
        def break_off(self, reason: Break) -> None:
            ended.append(other.__exit__(None, None, None))

    other = live.call(Task())
    other.__enter__()
    with live.call(Task()) as call, live.stream(call, Leaving(), "gpt"):
        live.cut()
        assert len(live) == 1
    assert len(ended) == 1
