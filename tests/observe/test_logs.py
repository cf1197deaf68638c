import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
import structlog

from gateway.observe.logs import MAX_PENDING, LineWriter
from tests.catalogue import fault


class Sink:
    """What a LineWriter writes to; stuck while `open` is not set."""

    def __init__(self) -> None:
        self.written = b""
        self.fail = 0
        self.entered = threading.Event()
        self.open = threading.Event()
        self.open.set()

    def __call__(self, batch: bytes) -> None:
        self.entered.set()
        assert self.open.wait(5)
        if self.fail:
            self.fail -= 1
            raise OSError(28, "No space left on device")
        self.written += batch


@contextmanager
def stuck(writer: LineWriter, sink: Sink) -> Iterator[None]:
    """The writer's thread hangs in the sink with one line, `first`."""
    sink.open.clear()
    writer.put(b"first")
    assert sink.entered.wait(5)
    try:
        yield
    finally:
        sink.open.set()


class TestWriter:
    def test_lines_are_written_in_order_and_closing_writes_them_all(self) -> None:
        sink = Sink()
        writer = LineWriter(sink)
        for number in range(1000):
            writer.put(b"%d" % number)
        writer.close()
        assert sink.written.split(b"\n") == [*(b"%d" % n for n in range(1000)), b""]
        assert writer.dropped == 0

    @fault("P09")
    def test_p09_a_stuck_sink_holds_up_nobody_and_what_is_too_much_is_dropped_and_counted(self) -> None:
        sink = Sink()
        writer = LineWriter(sink)
        with stuck(writer, sink):
            for number in range(MAX_PENDING + 7):
                writer.put(b"%d" % number)
            assert writer.dropped == 7
        writer.close()
        assert sink.written.count(b"\n") == 1 + MAX_PENDING
        assert sink.written.endswith(b"\n%d\n" % (MAX_PENDING - 1))

    @fault("P09")
    def test_p09_nor_does_it_hold_up_the_end(self) -> None:
        sink = Sink()
        writer = LineWriter(sink)
        with stuck(writer, sink):
            writer.close(timeout=0.01)
        writer.close()
        assert sink.written == b"first\n"

    @fault("P08")
    def test_p08_a_sink_that_fails_loses_and_counts_its_lines_and_the_next_ones_are_written(self) -> None:
        sink = Sink()
        writer = LineWriter(sink)
        sink.fail = 2
        with stuck(writer, sink):
            writer.put(b"second")
            writer.put(b"third")
        while writer.dropped < 3:
            threading.Event().wait(0.001)
        writer.put(b"fourth")
        writer.close()
        assert writer.dropped == 3
        assert sink.written == b"fourth\n"

    def test_many_threads_may_write(self) -> None:
        sink = Sink()
        writer = LineWriter(sink)

        def put() -> None:
            for _ in range(500):
                writer.put(b"line")

        threads = [threading.Thread(target=put) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        writer.close()
        assert sink.written == b"line\n" * 4000


def only(lines: list[bytes]) -> dict[str, object]:
    (line,) = lines
    lines.clear()
    found: dict[str, object] = json.loads(line)
    return found


class TestLines:
    def test_a_line_is_one_json_object_with_time_level_and_event(self, lines: list[bytes]) -> None:
        structlog.get_logger().info("listening", host="127.0.0.1", port=8080)
        line = only(lines)
        when = datetime.fromisoformat(str(line.pop("timestamp")))
        assert when.utcoffset() == timedelta(0)
        assert line == {"event": "listening", "level": "info", "host": "127.0.0.1", "port": 8080}

    @pytest.mark.parametrize(("method", "count"), [("debug", 0), ("info", 1), ("warning", 1)])
    def test_debug_is_left_out(self, method: str, count: int, lines: list[bytes]) -> None:
        getattr(structlog.get_logger(), method)("x")
        assert len(lines) == count

    @pytest.mark.parametrize("text", ["a\nb", '"},{"x":"', "\x1b[31mred", "\u2028", "\x00", "\U0001f600"], ids=ascii)
    def test_no_text_makes_a_second_line_or_field(self, text: str, lines: list[bytes]) -> None:
        structlog.get_logger().info("x", value=text)
        assert b"\n" not in lines[0]
        assert only(lines)["value"] == text

    def test_what_is_no_json_is_written_as_text(self, lines: list[bytes]) -> None:
        structlog.get_logger().info("x", value=ValueError, path=complex(1, 2))
        assert only(lines)["path"] == "(1+2j)"

    def test_text_from_undecodable_bytes_raises_nothing(self, lines: list[bytes]) -> None:
        structlog.get_logger().info("x", value=b"\xff".decode(errors="surrogateescape"))
        assert only(lines)["event"] == "x"

    def test_stdlib_loggers_write_the_same_shape(self, lines: list[bytes]) -> None:
        logging.getLogger("aiohttp.server").warning("a %s", "b")
        logging.getLogger("aiohttp.server").info("not shown")
        line = only(lines)
        assert (line["event"], line["level"], line["logger"]) == ("a b", "warning", "aiohttp.server")


CANARY = "CANARY"


def failing(secret: str) -> None:
    try:
        raise KeyError(secret)
    except KeyError as cause:
        cause.add_note(secret)
        raise ValueError(f"bad: {secret}") from cause


class TestExceptions:
    """Of an exception its type and where it was raised: its text and the locals may hold a key or a prompt."""

    @pytest.mark.parametrize(
        "logger",
        ["structlog", "structlog, exc_info", "stdlib", "stdlib, exc_info"],
    )
    def test_its_text_is_never_logged(self, logger: str, lines: list[bytes]) -> None:
        try:
            failing(CANARY)
        except ValueError as error:
            match logger:
                case "structlog":
                    structlog.get_logger().exception("expected")
                case "structlog, exc_info":
                    structlog.get_logger().error("expected", exc_info=error)
                case "stdlib":
                    logging.getLogger("x").exception("expected")
                case _:
                    logging.getLogger("x").error("expected", exc_info=error)
        assert CANARY.encode() not in lines[0]
        line = only(lines)
        assert line["exception"] == "ValueError"
        trace = line["trace"]
        assert isinstance(trace, list)
        assert trace[-1].endswith(" failing")
        assert __file__ in trace[-1]

    def test_no_exception_is_no_field(self, lines: list[bytes]) -> None:
        structlog.get_logger().warning("x", exc_info=True)
        line = only(lines)
        assert line.keys() == {"event", "level", "timestamp"}
