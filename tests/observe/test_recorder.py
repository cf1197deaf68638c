from collections.abc import Callable

import pytest

from gateway.core.outcome import Record
from gateway.observe.recorder import MAX_PENDING, Recorder
from tests.observe.records import make_record


class Reading:
    def __init__(self, read: Callable[[Record], object]) -> None:
        self.read_one = read
        self.flushed = 0

    def read(self, record: Record) -> None:
        self.read_one(record)

    def flush(self) -> None:
        self.flushed += 1


def test_a_record_is_read_at_the_next_flush_by_everyone_and_once() -> None:
    first: list[Record] = []
    second: list[Record] = []
    recorder = Recorder((Reading(first.append), Reading(second.append)))
    records = [make_record() for _ in range(3)]
    for record in records:
        recorder.put(record)
    assert first == []
    recorder.flush()
    recorder.flush()
    assert [id(r) for r in first] == [id(r) for r in second] == [id(r) for r in records]


def test_a_full_list_is_read_at_once_and_never_cut() -> None:
    count = 0

    def read(_: Record) -> None:
        nonlocal count
        count += 1

    recorder, record = Recorder((Reading(read),)), make_record()
    for _ in range(MAX_PENDING - 1):
        recorder.put(record)
    assert count == 0
    recorder.put(record)
    assert count == MAX_PENDING
    recorder.put(record)
    recorder.flush()
    assert count == MAX_PENDING + 1


def test_a_record_that_is_put_while_others_are_read_waits_for_the_next_flush() -> None:
    read: list[Record] = []
    records = [make_record(), make_record()]

    def reader(record: Record) -> None:
        read.append(record)
        if len(read) == 1:
            recorder.put(records[1])

    recorder = Recorder((Reading(reader),))
    recorder.put(records[0])
    recorder.flush()
    assert read == records[:1]
    recorder.flush()
    assert [id(record) for record in read] == [id(record) for record in records]


def test_a_reader_that_raises_loses_one_record_and_not_those_behind_it() -> None:
    read: list[Record] = []

    def reader(record: Record) -> None:
        read.append(record)
        if len(read) == 1:
            raise ZeroDivisionError

    recorder = Recorder((Reading(reader),))
    for _ in range(3):
        recorder.put(make_record())
    with pytest.raises(ZeroDivisionError):
        recorder.flush()
    recorder.flush()
    assert len(read) == 3


def test_a_reader_is_told_once_that_it_has_read_all_there_was() -> None:
    reading = Reading(id)
    recorder = Recorder((reading,))
    recorder.put(make_record())
    recorder.put(make_record())
    recorder.flush()
    assert reading.flushed == 1
