"""What goes wrong before an answer's head, or with it."""

from collections.abc import Iterable, Iterator

from gateway.simulator.chat import Completion
from gateway.simulator.healthy import healthy
from gateway.simulator.step import Close, Pause, Reset, Send, Silence, Step

_SLOW = 5.0  # seconds


def _silence(_: Completion) -> Iterable[Step]:
    return [Silence()]


def _slow_head(completion: Completion) -> Iterator[Step]:
    if completion.pace.delay is None:
        yield Pause(_SLOW)
    yield from healthy(completion)


def _close_head(_: Completion) -> Iterable[Step]:
    return [Close()]


def _reset_head(_: Completion) -> Iterable[Step]:
    return [Reset()]


def _ssh(_: Completion) -> Iterable[Step]:
    return [Send(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), Close()]


def _big_header(completion: Completion) -> Iterable[Step]:
    return healthy(completion, [("x-big", "a" * 65536)])


def _many_headers(completion: Completion) -> Iterable[Step]:
    return healthy(completion, [(f"x-many-{number}", "a") for number in range(300)])


def _bad_status(_: Completion) -> Iterable[Step]:
    return [Send(b"HTTP/1.1 999 Odd\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")]


def _early_hints(completion: Completion) -> Iterable[Step]:
    return [Send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" * 200), *healthy(completion)]


HEADS = {
    "silence": _silence,
    "slow-head": _slow_head,
    "close-head": _close_head,
    "reset-head": _reset_head,
    "ssh": _ssh,
    "big-header": _big_header,
    "many-headers": _many_headers,
    "bad-status": _bad_status,
    "103-flood": _early_hints,
}
