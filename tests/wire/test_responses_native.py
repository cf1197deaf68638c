"""Responses passed on as they are: the bytes, the facts, and what providers really sent."""

import itertools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.call import Endpoint
from gateway.core.errors import StreamFailed
from gateway.core.fault import (
    AuthFault,
    CallerFault,
    ContextFault,
    EmptyFault,
    Fault,
    ProtocolFault,
    RateLimitFault,
    StatusFault,
)
from gateway.core.outcome import Usage
from gateway.wire.body import read_ask
from gateway.wire.door import DOORS
from gateway.wire.events import Framing
from gateway.wire.pair import Outgoing
from gateway.wire.responses_native import Responses, ResponseStream
from tests.recordings import recorded
from tests.values import make_ask, make_call, make_target
from tests.wire.steady import steady

RESPONSES = Responses("/responses")
SENT = Outgoing(b"")
TOKENS = {"input_tokens": 7, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 2}}


def event(kind: str, **members: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), json.dumps({"type": kind, **members}).encode())


def last(kind: str = "response.completed", **members: Any) -> bytes:
    return event(kind, response={"id": "r", "status": "completed", **members})


START = event("response.created", response={"id": "r", "status": "in_progress", "usage": None})
TEXT = event("response.output_text.delta", delta="Grüß", item_id="i")
ARGUMENTS = event("response.function_call_arguments.delta", delta="{", item_id="j")
END = last(usage=TOKENS)
WHOLE = START + TEXT + ARGUMENTS + event("response.output_text.done", text="Grüß") + END
ERROR = event("error", code="server_error", message="No.", param=None)
FAILED = event("response.failed", response={"status": "failed", "error": {"code": "server_error", "message": "No."}})


def read(*reads: bytes) -> tuple[bytes, ResponseStream]:
    stream = ResponseStream()
    return b"".join([*map(stream.feed, reads), stream.end()]), stream


def facts(stream: ResponseStream) -> tuple[object, ...]:
    return (stream.started, stream.error, stream.done, stream.failed, stream.events, stream.usage, stream.usage_invalid)


class TestStreams:
    def test_a_whole_one_passes_as_it_came(self) -> None:
        told, stream = read(WHOLE)
        assert told == WHOLE
        assert facts(stream) == (True, None, True, False, 2, Usage(7, 5, 2), False)

    @steady
    @given(st.lists(st.integers(0, len(WHOLE)), max_size=12))
    def test_it_does_so_wherever_it_is_cut(self, cuts: list[int]) -> None:
        pieces = [WHOLE[start:end] for start, end in itertools.pairwise([0, *sorted(cuts), len(WHOLE)])]
        told, stream = read(*pieces)
        assert told == WHOLE
        assert facts(stream) == facts(read(WHOLE)[1])

    def test_events_without_names_are_read_by_their_type(self) -> None:
        given_ = b"".join(line for line in WHOLE.splitlines(keepends=True) if not line.startswith(b"event:"))
        told, stream = read(given_)
        assert told == given_
        assert facts(stream) == facts(read(WHOLE)[1])

    @pytest.mark.parametrize("kind", ["response.completed", "response.incomplete"])
    def test_both_ends_are_ends(self, kind: str) -> None:
        told, stream = read(START + last(kind, usage=TOKENS) + TEXT)
        assert told == START + last(kind, usage=TOKENS)
        assert (stream.done, stream.usage) == (True, Usage(7, 5, 2))

    def test_unknown_events_and_comments_pass(self) -> None:
        more = event("response.some.new.event", what=[1]) + b": hello\n\n"
        assert read(START + more + TEXT)[0] == START + more + TEXT

    def test_content_passes_unread(self) -> None:
        odd = b"event: response.output_text.delta\ndata: {not json\n\n"
        assert read(START, odd)[0] == START + odd

    @pytest.mark.parametrize("stream", [START, START + TEXT, WHOLE])
    def test_the_end_of_another_schema_is_left_out(self, stream: bytes) -> None:
        told, reading = read(stream + b"data: [DONE]\n\n")
        assert told == stream
        assert reading.done == (stream == WHOLE)

    @pytest.mark.parametrize("bad", [pytest.param(ERROR, id="error"), pytest.param(FAILED, id="response.failed")])
    def test_an_error_at_first_is_one_and_nothing_is_passed(self, bad: bytes) -> None:
        told, stream = read(bad + START)
        assert (told, stream.started) == (b"", False)
        assert stream.error is not None
        assert type(RESPONSES.read_failure(200, stream.error)) is StatusFault

    @pytest.mark.parametrize("bad", [pytest.param(ERROR, id="error"), pytest.param(FAILED, id="response.failed")])
    def test_an_error_later_is_its_last_event(self, bad: bytes) -> None:
        told, stream = read(START + TEXT + bad + END)
        assert told == START + TEXT + bad
        assert facts(stream) == (True, None, False, True, 1, None, False)

    @pytest.mark.parametrize(
        "bad", [b"data: {\n\n", b"data: []\n\n", b'data: {"type":7}\n\n', b'data: {"response":1}\n\n']
    )
    def test_what_cant_be_read_is_an_error_at_first_and_later_the_end(self, bad: bytes) -> None:
        assert facts(read(bad + START)[1]) == (False, b"{}", False, False, 0, None, False)
        told, stream = read(START + bad + END)
        assert told == START + DOORS[Endpoint.RESPONSES].error_event(StreamFailed())
        assert (stream.failed, stream.done) == (True, False)


class TestEnds:
    @pytest.mark.parametrize("count", range(WHOLE.count(b"\n\n")))
    def test_a_stream_cut_short_is_never_whole(self, count: int) -> None:
        events = [one + b"\n\n" for one in WHOLE.split(b"\n\n")[:-1]]
        told, stream = read(*events[:count])
        assert told == b"".join(events[:count])
        assert (stream.done, stream.failed, stream.appended_done) == (False, False, False)
        assert stream.started == (count > 0)

    def test_the_last_event_may_lack_its_blank_line(self) -> None:
        assert read(WHOLE[:-2])[0] == WHOLE
        assert read(WHOLE[:-2])[1].done

    def test_half_a_last_event_is_no_end(self) -> None:
        told, stream = read(WHOLE[:-9])
        assert told == WHOLE.removesuffix(END)
        assert not stream.done


class TestUsage:
    @pytest.mark.parametrize(
        ("members", "usage", "invalid"),
        [
            pytest.param({"usage": TOKENS}, Usage(7, 5, 2), False, id="all"),
            pytest.param({"usage": {"input_tokens": 7}}, Usage(7, 0), False, id="no output"),
            pytest.param({"usage": None}, None, False, id="null"),
            pytest.param({}, None, False, id="missing"),
            pytest.param({"usage": {}}, None, True, id="empty"),
            pytest.param({"usage": {"input_tokens": -1}}, None, True, id="negative"),
            pytest.param({"usage": "much"}, None, True, id="a text"),
        ],
    )
    def test_it_is_the_last_events(self, members: dict[str, Any], usage: Usage | None, invalid: bool) -> None:
        _, stream = read(START, last(**members))
        assert (stream.usage, stream.usage_invalid, stream.done) == (usage, invalid, True)

    def test_an_end_without_a_response_has_none(self) -> None:
        _, stream = read(START, event("response.completed"))
        assert (stream.usage, stream.usage_invalid, stream.done) == (None, False, True)


class TestRequests:
    def test_only_the_models_name_is_replaced(self) -> None:
        body = b'{"model":"gpt","input":"a","x":{"y":1.10},"stream_options":{"include_obfuscation":false}}'
        ask = read_ask(body, make_call(endpoint=Endpoint.RESPONSES), ())
        assert RESPONSES.request(ask, make_target("gpt", remote="o9")).body == body.replace(b'"gpt"', b'"o9"')

    def test_defaults_are_added_where_the_caller_says_nothing(self) -> None:
        ask = make_ask(fields={"input": msgspec.Raw(b'"a"'), "store": True})
        sent = RESPONSES.request(ask, make_target(defaults={"store": False, "top_p": 1}))
        assert json.loads(sent.body) == {"model": "gpt", "input": "a", "store": True, "top_p": 1}


def failed(code: str, message: str = "No.") -> bytes:
    return json.dumps({"status": "failed", "error": {"code": code, "message": message}}).encode()


class TestAnswers:
    @pytest.mark.parametrize("status", ["completed", "incomplete", "in_progress", "queued", "cancelled"])
    def test_one_passes_as_it_came_with_its_usage(self, status: str) -> None:
        body = json.dumps({"status": status, "error": None, "usage": TOKENS}).encode() + b"\n"
        assert RESPONSES.read_answer(body, SENT) == (Usage(7, 5, 2), body)

    @pytest.mark.parametrize("usage", [b"{}", b'{"usage":null}', b'{"usage":{}}', b'{"usage":"much"}'])
    def test_one_without_usage_has_none(self, usage: bytes) -> None:
        assert RESPONSES.read_answer(usage, SENT) == (None, usage)

    @pytest.mark.parametrize(
        ("body", "fault"),
        [
            pytest.param(b"", EmptyFault, id="empty"),
            pytest.param(b" \r\n", EmptyFault, id="blank"),
            pytest.param(b"{", ProtocolFault, id="half"),
            pytest.param(b"[]", ProtocolFault, id="a list"),
            pytest.param(b'{"status":7}', ProtocolFault, id="a number for a status"),
            pytest.param(failed("server_error"), StatusFault, id="server"),
            pytest.param(failed("rate_limit_exceeded"), RateLimitFault, id="rate limit"),
            pytest.param(failed("invalid_api_key"), AuthFault, id="our key"),
            pytest.param(failed("invalid_prompt"), CallerFault, id="the caller's"),
            pytest.param(failed("context_length_exceeded"), ContextFault, id="too long"),
            pytest.param(b'{"error":{"message":"No."}}', StatusFault, id="an error without a status"),
        ],
    )
    def test_one_that_is_none_is_a_fault(self, body: bytes, fault: type[Fault]) -> None:
        with pytest.raises(fault) as raised:
            RESPONSES.read_answer(body, SENT)
        assert type(raised.value) is fault


class TestRecordings:
    """Without recordings there is nothing to look at."""

    def test_answers_pass_as_they_came_and_have_their_usage(self) -> None:
        for one in recorded("responses", stream=False):
            usage, body = RESPONSES.read_answer(one.body, SENT)
            told = json.loads(one.body).get("usage")
            assert body == one.body
            assert (usage and usage.prompt) == (told and told["input_tokens"])

    def test_streams_pass_as_they_came_to_their_first_end_at_any_cut(self) -> None:
        for one in recorded("responses", stream=True):
            whole, first = read(one.body)
            assert one.body.startswith(whole.rstrip(b"\r\n")), one.id
            kinds = [json.loads(event.data)["type"] for event in Framing().feed(whole)]
            assert first.done == (kinds[-1] in ("response.completed", "response.incomplete")), one.id
            assert not {"response.completed", "response.failed", "error"}.intersection(kinds[:-1]), one.id
            for step in (997, 64):
                told, stream = read(*[one.body[at : at + step] for at in range(0, len(one.body), step)])
                assert told == whole, one.id
                assert facts(stream) == facts(first), one.id


@steady
@given(st.binary() | st.text().map(str.encode))
def test_no_bytes_make_it_fail(body: bytes) -> None:
    for reads in ([body], [START, body], [START, b"data: " + body + b"\n\n"]):
        _, stream = read(*reads)
        assert not (stream.done and stream.failed)
    try:
        RESPONSES.read_answer(body, SENT)
    except Fault:
        return
    assert isinstance(json.loads(body), dict)
