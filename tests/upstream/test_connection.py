import asyncio

import pytest

from gateway.core.fault import ProtocolFault, ResetFault
from gateway.upstream.connection import LINGER, MAX_LINGER_BYTES
from tests.upstream.wire import CHUNKED, LENGTH_5, NO_LENGTH, a_line, until

HELLO = b"5\r\nhello\r\n"
LAST = b"0\r\n\r\n"


async def test_an_exchange_from_request_to_end() -> None:
    async with a_line() as line:
        listening = await line.ask()
        await line.say(LENGTH_5 + b"hel")
        await until(lambda: listening.payload == b"hel")
        assert (listening.status, listening.end) == (200, None)
        await line.say(b"lo")
        await until(lambda: listening.end)
        assert (listening.payload, listening.end, line.kept) == (b"hello", "ended", [])
        assert repr(line.connection) == "<Connection busy exchanges=1>"
        line.connection.release()
        assert line.kept == [line.connection]
        assert repr(line.connection) == "<Connection idle exchanges=1>"


async def test_many_exchanges_run_over_one_connection() -> None:
    async with a_line() as line:
        for number in range(1, 4):
            listening = await line.ask()
            await line.say(CHUNKED + HELLO + LAST)
            await until(lambda: listening.end)  # noqa: B023 - awaited here
            assert (listening.payload, listening.end) == (b"hello", "ended")
            line.connection.release()
            assert len(line.kept) == line.connection.exchanges == number


class TestFramed:
    """What a chunk was framed in is handed on only if the read was that chunk and nothing else."""

    async def test_a_read_of_one_whole_chunk_comes_with_its_framing(self) -> None:
        async with a_line() as line:
            listening = await line.ask()
            await line.say(CHUNKED)
            await until(lambda: listening.status)
            await line.say(HELLO)
            await until(lambda: listening.chunks)
            assert listening.chunks == [(b"hello", HELLO)]

    @pytest.mark.parametrize("before", [b"1", b"1\r", b"5\r\nhe", HELLO + b"5"])
    async def test_a_read_that_only_looks_like_one_does_not(self, before: bytes) -> None:
        async with a_line() as line:
            listening = await line.ask()
            await line.say(CHUNKED + before)
            await until(lambda: listening.status)
            await line.say(HELLO)
            await until(lambda: listening.end or len(listening.payload) >= 5)
            assert all(framed is None for _, framed in listening.chunks)

    @pytest.mark.parametrize(("before", "offered"), [(b"1", 0), (b"5\r\nhe", 0), (b"", 1), (HELLO, 1)])
    async def test_a_read_is_offered_as_it_came_only_where_a_chunk_begins(self, before: bytes, offered: int) -> None:
        async with a_line() as line:
            listening = await line.ask()
            await line.say(CHUNKED + before)
            await until(lambda: listening.status)
            listening.offered.clear()
            seen = len(listening.payload)
            await line.say(HELLO)
            await until(lambda: listening.end or listening.offered or len(listening.payload) >= seen + 5)
            assert len(listening.offered) == offered

    async def test_a_read_that_was_relayed_goes_no_further(self) -> None:
        async with a_line() as line:
            listening = await line.ask()
            await line.say(CHUNKED)
            await until(lambda: listening.status)
            listening.relays = True
            await line.say(HELLO)
            await until(lambda: listening.offered)
            assert (listening.offered, listening.chunks) == ([HELLO], [])

    async def test_two_chunks_in_a_read_do_not(self) -> None:
        async with a_line() as line:
            listening = await line.ask()
            await line.say(CHUNKED)
            await until(lambda: listening.status)
            await line.say(HELLO + HELLO)
            await until(lambda: listening.chunks)
            assert listening.chunks == [(b"hellohello", None)]


class TestEnds:
    @pytest.mark.parametrize(
        ("answer", "reset", "end"),
        [
            pytest.param(NO_LENGTH + b"hello", False, "ended", id="no length, FIN"),
            pytest.param(NO_LENGTH + b"hello", True, "broke", id="no length, RST"),
            pytest.param(LENGTH_5 + b"hell", False, "broke", id="U31 too short, FIN"),
            pytest.param(LENGTH_5 + b"hell", True, "broke", id="too short, RST"),
            pytest.param(CHUNKED + HELLO, False, "broke", id="U30 no last chunk, FIN"),
            pytest.param(CHUNKED + HELLO + b"0\r\n", False, "broke", id="half the last chunk, FIN"),
            pytest.param(CHUNKED + HELLO, True, "broke", id="U29 no last chunk, RST"),
            pytest.param(CHUNKED + b"5\r\nhe", False, "broke", id="half a chunk, FIN"),
            pytest.param(CHUNKED, False, "broke", id="no chunk at all"),
        ],
    )
    async def test_the_end_of_the_connection(self, answer: bytes, reset: bool, end: str) -> None:
        async with a_line() as line:
            listening = await line.ask()
            await line.say(answer)
            await until(lambda: listening.status)
            await line.leave(reset=reset)
            await until(lambda: listening.end)
            assert listening.end == end
            await until(lambda: line.lost)
            assert line.kept == []
            assert repr(line.connection) == "<Connection closed exchanges=1>"

    @pytest.mark.parametrize(
        ("answer", "reset"),
        [(b"", False), (b"", True), (b"HTTP/1.1 20", False), (LENGTH_5[:-2], False)],
        ids=["U05 FIN", "U06 RST", "U07 half a line", "half a head"],
    )
    async def test_the_end_of_the_connection_before_the_head(self, answer: bytes, reset: bool) -> None:
        async with a_line() as line:
            listening = await line.ask()
            await line.say(answer)
            await until(lambda: line.connection.answer_begun or not answer)
            await line.leave(reset=reset)
            await until(lambda: listening.end)
            assert isinstance(listening.end, ResetFault)
            assert line.connection.answer_begun is bool(answer)

    async def test_a_head_that_is_none_is_a_fault_and_the_connection_is_closed(self) -> None:
        async with a_line() as line:
            listening = await line.ask()
            await line.say(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
            await until(lambda: listening.end)
            assert isinstance(listening.end, ProtocolFault)
            assert await line.heard() in ("fin", "rst")
            assert line.kept == []

    async def test_framing_that_is_none_breaks_the_answer_and_the_connection_is_closed(self) -> None:
        async with a_line() as line:
            listening = await line.ask()
            await line.say(CHUNKED + HELLO)
            await until(lambda: listening.chunks)
            await line.say(b"XYZ\r\nhello\r\n")
            await until(lambda: listening.end)
            assert (listening.payload, listening.end) == (b"hello", "broke")
            assert await line.heard() in ("fin", "rst")

    @pytest.mark.parametrize("last_words", [LAST, b"XYZ\r\n", b""], ids=["complete", "broken framing", "cut"])
    async def test_whoever_is_told_of_the_end_may_pause_and_let_go(self, last_words: bytes) -> None:
        """A full client socket pauses its upstream at any moment; uvloop raises where asyncio would not."""
        async with a_line() as line:
            listening = await line.ask()

            def let_go() -> None:
                line.connection.pause()
                line.connection.release() if listening.end == "ended" else line.connection.abandon()

            listening.and_then = let_go
            await line.say(CHUNKED + HELLO + last_words)
            if not last_words:
                await until(lambda: listening.chunks)
                await line.leave()
            await until(lambda: listening.end and (line.kept or line.lost))
            assert bool(line.kept) is (listening.end == "ended")


class TestReuse:
    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(LENGTH_5 + b"hello" + LENGTH_5 + b"EVIL!", id="a second answer"),
            pytest.param(LENGTH_5 + b"hello\r\n", id="a blank line"),
            pytest.param(CHUNKED + HELLO + LAST + b"\r\n", id="a blank line after chunks"),
        ],
    )
    async def test_u44_bytes_behind_an_answer_close_the_connection_after_it(self, answer: bytes) -> None:
        async with a_line() as line:
            listening = await line.ask()
            await line.say(answer)
            await until(lambda: listening.end)
            assert (listening.payload, listening.end) == (b"hello", "ended")
            line.connection.release()
            assert not line.connection.usable
            assert line.kept == []

    @pytest.mark.parametrize("answer", [LENGTH_5 + b"hello", CHUNKED + HELLO + LAST], ids=["length", "chunked"])
    async def test_u44_so_do_bytes_that_come_before_it_is_let_go_of(self, answer: bytes) -> None:
        async with a_line() as line:
            listening = await line.ask()
            await line.say(answer)
            await until(lambda: listening.end)
            await line.say(LENGTH_5 + b"EVIL!")
            for _ in range(20):
                await asyncio.sleep(0)
            line.connection.release()
            assert line.kept == []

    async def test_bytes_on_an_idle_connection_close_it(self) -> None:
        async with a_line() as line:
            listening = await line.ask()
            await line.say(LENGTH_5 + b"hello")
            await until(lambda: listening.end)
            line.connection.release()
            assert line.connection.usable
            await line.say(LENGTH_5 + b"EVIL!")
            await until(lambda: line.lost)
            with pytest.raises(ResetFault):
                await line.ask()

    async def test_so_does_its_end(self) -> None:
        async with a_line() as line:
            listening = await line.ask()
            await line.say(LENGTH_5 + b"hello")
            await until(lambda: listening.end)
            line.connection.release()
            await line.leave()
            await until(lambda: not line.connection.usable)
            await until(lambda: line.lost)

    async def test_an_answer_that_says_close_is_the_last(self) -> None:
        async with a_line() as line:
            listening = await line.ask()
            await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await until(lambda: listening.end)
            line.connection.release()
            assert line.kept == []
            assert await line.heard() == "fin"


class TestRelease:
    """Let go of a stream after its `[DONE]`: the last chunk gets a moment to arrive."""

    async def test_the_connection_is_kept_once_the_last_chunk_is_there(self) -> None:
        async with a_line() as line:
            listening = await line.ask()
            await line.say(CHUNKED + HELLO)
            await until(lambda: listening.chunks)
            line.connection.release()
            assert line.kept == []
            await line.say(HELLO + LAST)
            await until(lambda: line.kept)
            assert listening.payload == b"hello"
            line.wheel.tick(line.wheel.now + 10 * LINGER)
            again = await line.ask()
            await line.say(LENGTH_5 + b"again")
            await until(lambda: again.end)
            assert again.payload == b"again"

    async def test_and_closed_if_it_does_not_come(self) -> None:
        async with a_line() as line:
            listening = await line.ask()
            await line.say(CHUNKED + HELLO)
            await until(lambda: listening.chunks)
            line.connection.release()
            line.wheel.tick(line.wheel.now + LINGER - 0.1)
            assert line.connection.usable
            line.wheel.tick(line.wheel.now + 0.2)
            assert await line.heard() in ("fin", "rst")
            assert (line.kept, listening.end) == ([], None)

    async def test_or_if_much_else_comes(self) -> None:
        async with a_line() as line:
            listening = await line.ask()
            await line.say(CHUNKED + HELLO)
            await until(lambda: listening.chunks)
            line.connection.release()
            await line.say(b"%x\r\n" % (2 * MAX_LINGER_BYTES) + b"x" * (2 * MAX_LINGER_BYTES))
            await until(lambda: line.lost)
            assert line.kept == []

    async def test_one_that_was_paused_reads_on(self) -> None:
        async with a_line() as line:
            listening = await line.ask()
            await line.say(CHUNKED + HELLO)
            await until(lambda: listening.chunks)
            line.connection.pause()
            await line.say(LAST)
            line.connection.release()
            await until(lambda: line.kept)


class TestAbandon:
    @pytest.mark.parametrize(
        "answer", [b"", LENGTH_5[:9], CHUNKED + HELLO], ids=["no answer", "half a head", "a chunk"]
    )
    async def test_halfway_it_closes_at_once_and_nobody_is_told(self, answer: bytes) -> None:
        async with a_line() as line:
            listening = await line.ask()
            await line.say(answer)
            await until(lambda: line.connection.answer_begun or not answer)
            line.connection.abandon()
            assert not line.connection.usable
            assert await line.heard() in ("fin", "rst")
            await until(lambda: line.lost)
            assert (line.kept, listening.end) == ([], None)

    async def test_after_the_end_the_connection_is_kept(self) -> None:
        async with a_line() as line:
            listening = await line.ask()
            await line.say(LENGTH_5 + b"hello")
            await until(lambda: listening.end)
            line.connection.abandon()
            assert line.kept == [line.connection]


class TestBackpressure:
    async def test_while_paused_nothing_is_read_and_afterwards_everything(self) -> None:
        size = 16 * 1024 * 1024
        async with a_line() as line, asyncio.TaskGroup() as tasks:
            listening = await line.ask()
            await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nx" % size)
            await until(lambda: listening.chunks)
            line.connection.pause()
            line.connection.pause()
            sending = tasks.create_task(line.say(b"x" * (size - 1)), name="sender")
            for _ in range(200):
                await asyncio.sleep(0)
            assert not sending.done()
            assert listening.payload == b"x"
            line.connection.resume()
            line.connection.resume()
            await until(lambda: listening.end)
            assert len(listening.payload) == size


async def test_the_upstream_hears_of_an_abandoned_call_in_the_same_turn_of_the_loop() -> None:
    """What is sent in the next turn, such as the call that gets its lease, comes behind it."""
    async with a_line() as line:
        listening = await line.ask()
        await line.say(CHUNKED + HELLO)
        await until(lambda: listening.chunks)
        line.connection.abandon()
        assert line.peer.recv(1) == b""
