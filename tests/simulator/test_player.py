import pytest

from gateway.simulator import Gate, Pause, Send, Wait
from gateway.simulator.player import Player


class HandClock:
    """Time that passes when the test says so; each callback comes `late` seconds after it was due."""

    def __init__(self, late=0.0):
        self.now, self.late, self.calls = 100.0, late, []

    def time(self):
        return self.now

    def call_at(self, when, callback, /):
        self.calls.append((when, callback))
        return self

    def cancel(self):
        self.calls.clear()

    def run(self):
        while self.calls:
            when, callback = self.calls.pop()
            self.now = max(self.now, when) + self.late
            callback()


class Paper:
    """A transport that notes when what was written."""

    def __init__(self, clock):
        self.clock, self.written = clock, []

    def set_write_buffer_limits(self, high):
        assert high == 0

    def get_write_buffer_size(self):
        return 0

    def write(self, payload):
        self.written.append((round(self.clock.now - 100, 3), payload))


@pytest.fixture
def clock():
    return HandClock(late=0.004)


@pytest.fixture
def paper(clock):
    return Paper(clock)


@pytest.fixture
def finished():
    return []


@pytest.fixture
def player(paper, finished, clock):
    return Player(paper, lambda: finished.append(True), clock)


def test_pauses_do_not_drift_though_every_timer_is_late(player, paper, clock, finished):
    player.play([Send(b"a"), Pause(0.01), Send(b"b"), Pause(0.01), Send(b"c"), Pause(0.01), Send(b"d")])
    clock.run()
    assert paper.written == [(0, b"a"), (0.014, b"b"), (0.024, b"c"), (0.034, b"d")]
    assert (finished, player.sent) == ([True], 4)


def test_a_pause_after_a_gate_counts_from_when_the_gate_was_opened(player, paper, clock):
    gate = Gate()
    player.play([Wait(gate), Pause(0.01), Send(b"a")])
    clock.now += 5
    gate.open()
    clock.run()
    assert paper.written == [(5.014, b"a")]


def test_a_pause_after_a_full_socket_counts_from_when_it_was_empty(player, paper, clock):
    player.pause()
    player.play([Send(b"a"), Pause(0.01), Send(b"b")])
    clock.now += 5
    assert not clock.calls
    player.resume()
    clock.run()
    assert paper.written == [(0, b"a"), (5.014, b"b")]


def test_what_was_stopped_is_not_played_on(player, paper, clock, finished):
    gate = Gate()
    player.play([Pause(0.01), Send(b"a")])
    player.stop()
    assert not clock.calls
    player.play([Wait(gate), Send(b"b")])
    player.stop()
    gate.open()
    assert (paper.written, finished) == ([], [])
