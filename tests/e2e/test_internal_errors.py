"""Our own bugs, as clients see them: a 500 before the first byte, and after it a cut without another word."""

from dataclasses import replace

from gateway.core.outcome import Record
from gateway.core.ports import Answer, Downstream
from gateway.flow.pipe import Piping
from gateway.state.live import LiveCall
from tests.conftest import Gateway, StartGateway
from tests.e2e.answers import answer_to
from tests.e2e.raw import RawClient, chat, post

EVENT = b'data: {"choices":[]}\n\n'


class BuggyPiping(Piping):
    """Fails before or after the first byte, in a way that nobody has thought of."""

    first_byte = False

    async def run(self, answer: Answer, downstream: Downstream, record: Record, call: LiveCall) -> None:
        if self.first_byte:
            downstream.start(200, (("content-type", "text/event-stream"),))
            downstream.write(EVENT)
        raise RuntimeError


def infest(gateway: Gateway, *, first_byte: bool) -> None:
    """From now on the gateway has the bug."""
    app = gateway.app
    piping = BuggyPiping(app.config.server, app.wheel, app.live, lambda: app.wheel.now)
    piping.first_byte = first_byte
    dispatch = app._build(app.config, app.sender)
    dispatch._house = replace(dispatch._house, piping=piping)
    app._server.take(dispatch.handle, app.config)


def assert_told(lines: list[bytes]) -> None:
    """In the log, with its place; what follows is not looked at as an error that nobody expected."""
    assert any(b'"internal error"' in line and b"RuntimeError" in line for line in lines)
    lines.clear()


async def test_before_the_first_byte_it_is_a_500(
    start_gateway: StartGateway, two_upstreams: str, lines: list[bytes]
) -> None:
    gateway = await start_gateway(two_upstreams)
    infest(gateway, first_byte=False)
    answer = await answer_to(gateway, post(chat("fast")))
    assert answer.error == (500, "internal_error")
    assert answer.header("connection") == "close"
    assert (await gateway.last_call())["outcome"] == "internal"
    assert_told(lines)


async def test_after_the_first_byte_there_is_no_second_head(
    start_gateway: StartGateway, two_upstreams: str, lines: list[bytes]
) -> None:
    gateway = await start_gateway(two_upstreams)
    infest(gateway, first_byte=True)
    client = RawClient(gateway.port)
    await client.send(post(chat("fast")) * 2)
    seen, _ = await client.rest()
    assert seen.count(b"HTTP/1.1 ") <= 1
    assert b"internal_error" not in seen
    assert not seen.endswith(b"0\r\n\r\n")
    assert (await gateway.last_call())["outcome"] == "internal"
    assert_told(lines)
