"""What holds for every caller at every upstream, whatever the two say to each other."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.call import Endpoint
from gateway.core.errors import InvalidValue
from gateway.core.fault import EmptyFault, ProtocolFault, StatusFault
from gateway.core.outcome import Usage
from gateway.wire.dialect import DIALECTS
from gateway.wire.translated import Translated
from tests.values import make_ask, make_target, make_upstream
from tests.wire.pairings import (
    LAST_WORDS,
    STREAMS,
    USAGES,
    WALL,
    Json,
    Pairing,
    cut,
    data_of,
    every_pairing,
    facts,
    text_of,
)
from tests.wire.steady import steady

ERRORS = {
    Endpoint.CHAT: lambda data: data["error"]["message"],
    Endpoint.MESSAGES: lambda data: data["error"]["message"],
    Endpoint.RESPONSES: lambda data: data["response"]["error"]["message"],
}


def is_last_word_in(caller: Endpoint, told: bytes) -> bool:
    return LAST_WORDS[caller] in told


def last_of(caller: Endpoint, told: bytes) -> bytes:
    """Its last event, or its first line for who names them."""
    event = told.rstrip(b"\n").rpartition(b"\n\n")[2] + b"\n\n"
    return event if caller is Endpoint.CHAT else event.partition(b"\n")[0] + b"\n"


@every_pairing
class TestWholeStreams:
    def test_one_says_the_same_in_the_callers_words_and_ends_with_its_last(self, pairing: Pairing) -> None:
        stream = STREAMS[pairing.upstream](USAGES[pairing.upstream])
        told, scanner = pairing.read(stream.body)
        assert text_of(pairing.caller, told) == "Hello ä"
        assert last_of(pairing.caller, told) == LAST_WORDS[pairing.caller]
        assert (scanner.done, scanner.over, scanner.failed, scanner.error) == (True, True, False, None)
        assert scanner.usage == Usage(7, 5)
        assert scanner.events > 0

    @steady
    @given(st.lists(st.integers(0, 3000), max_size=10))
    def test_one_is_the_same_wherever_it_is_cut(self, pairing: Pairing, at: list[int]) -> None:
        body = STREAMS[pairing.upstream](USAGES[pairing.upstream]).body
        told, scanner = pairing.read(*cut(body, at))
        whole, once = pairing.read(body)
        assert told == whole
        assert facts(scanner) == facts(once)

    @pytest.mark.parametrize("end", [b"\r\n", b"\r"], ids=["CRLF", "CR"])
    def test_line_ends_and_comments_and_a_byte_order_mark_make_no_difference(
        self, pairing: Pairing, end: bytes
    ) -> None:
        stream = STREAMS[pairing.upstream]()
        odd = b"\xef\xbb\xbf" + b": hello\n\n".join([b"", *stream.events]).replace(b"\n", end)
        assert pairing.read(*[bytes([byte]) for byte in odd])[0] == pairing.read(stream.body)[0]

    def test_each_event_is_passed_on_when_it_is_complete(self, pairing: Pairing) -> None:
        stream = STREAMS[pairing.upstream]()
        scanner = pairing.pair.scanner(pairing.ask(), pairing.outgoing())
        said = ""
        for event in stream.events:
            assert scanner.feed(event[:-1]) == b""
            said += text_of(pairing.caller, scanner.feed(event[-1:]))
            if b'"Hel"' in event:
                assert said == "Hel"
        assert scanner.end() == b"" or pairing.upstream == "gemini"

    def test_nothing_is_read_after_the_end(self, pairing: Pairing) -> None:
        stream = STREAMS[pairing.upstream]()
        told, scanner = pairing.read(stream.body)
        if pairing.upstream == "gemini":
            return  # It has no last word.
        more, again = pairing.read(stream.body + stream.error, stream.body)
        assert (more, facts(again)) == (told, facts(scanner))

    def test_one_without_usage_has_none(self, pairing: Pairing) -> None:
        told, scanner = pairing.read(STREAMS[pairing.upstream]().body)
        assert (scanner.usage, scanner.usage_invalid, scanner.done) == (None, False, True)
        assert is_last_word_in(pairing.caller, told)

    def test_a_usage_that_is_none_does_not_break_it(self, pairing: Pairing) -> None:
        bad: list[Any] = [{}] if pairing.upstream == "messages" else [{}, "much", [1]]
        if pairing.upstream != "gemini":
            bad.append(dict.fromkeys(USAGES[pairing.upstream], -1))
        for usage in bad:
            told, scanner = pairing.read(STREAMS[pairing.upstream](usage).body)
            assert scanner.usage is None
            assert is_last_word_in(pairing.caller, told)


@every_pairing
class TestCutStreams:
    def test_one_cut_short_at_any_event_has_no_last_word(self, pairing: Pairing) -> None:
        stream = STREAMS[pairing.upstream](USAGES[pairing.upstream])
        for count in range(stream.whole):
            told, scanner = pairing.read(*stream.events[:count])
            assert (scanner.done, scanner.over, scanner.failed) == (False, False, False)
            assert scanner.started == (count >= stream.started)
            assert not is_last_word_in(pairing.caller, told)
            assert bool(told) <= scanner.started

    def test_nor_has_one_cut_short_inside_an_event(self, pairing: Pairing) -> None:
        stream = STREAMS[pairing.upstream](USAGES[pairing.upstream])
        whole = b"".join(stream.events[: stream.whole])
        for end in range(len(whole) - 3):
            told, scanner = pairing.read(whole[:end])
            assert not scanner.done
            assert not is_last_word_in(pairing.caller, told)

    def test_one_that_lacks_only_what_follows_its_finish_is_ended(self, pairing: Pairing) -> None:
        stream = STREAMS[pairing.upstream]()
        for count in range(stream.whole, len(stream.events)):
            told, scanner = pairing.read(*stream.events[:count])
            assert (scanner.done, scanner.appended_done) == (True, True)
            assert told == pairing.read(stream.body)[0]

    def test_an_empty_one_never_starts(self, pairing: Pairing) -> None:
        for reads in ([], [b": hello\n\n"], [b"data: [DONE]\n\n"]):
            told, scanner = pairing.read(*reads)
            assert (told, scanner.started, scanner.done) == (b"", False, False)


@every_pairing
class TestErrors:
    def test_one_at_first_is_for_another_target(self, pairing: Pairing) -> None:
        stream = STREAMS[pairing.upstream]()
        told, scanner = pairing.read(stream.error, stream.body)
        assert (told, scanner.started, scanner.done, scanner.failed) == (b"", False, False, False)
        assert scanner.error is not None
        assert type(pairing.pair.read_failure(200, scanner.error)) is StatusFault

    def test_one_in_the_middle_is_the_last_thing_said_in_the_callers_words(self, pairing: Pairing) -> None:
        stream = STREAMS[pairing.upstream]()
        for count in range(stream.started, stream.whole):
            before = b"".join(stream.events[:count])
            told, scanner = pairing.read(before + stream.error, *stream.events[count:])
            assert (scanner.failed, scanner.over, scanner.done) == (True, True, False)
            assert ERRORS[pairing.caller](data_of(told)[-1])
            assert not is_last_word_in(pairing.caller, told)

    @pytest.mark.parametrize("bad", [b"data: {\n\n", b"data: []\n\n", b"data: 7\n\n", b'data: "\xff"\n\n'])
    def test_so_is_what_cant_be_read(self, pairing: Pairing, bad: bytes) -> None:
        stream = STREAMS[pairing.upstream]()
        assert pairing.read(bad + stream.body)[1].error == b"{}"
        told, scanner = pairing.read(b"".join(stream.events[: stream.started]) + bad, *stream.events[stream.started :])
        assert (scanner.failed, scanner.done) == (True, False)
        assert ERRORS[pairing.caller](data_of(told)[-1]) == "The provider's stream can't be read."
        assert not is_last_word_in(pairing.caller, told)

    @pytest.mark.parametrize("body", [b"", b" ", b"{", b"[]", b"7", b'{"a":1e999}', b"<html>"])
    def test_a_body_that_is_no_answer_is_a_protocol_fault(self, pairing: Pairing, body: bytes) -> None:
        with pytest.raises((ProtocolFault, EmptyFault)):
            pairing.pair.read_answer(body, pairing.outgoing())


class TestUsageChunks:
    @pytest.mark.parametrize("upstream", list(STREAMS))
    @pytest.mark.parametrize(
        ("options", "is_told"),
        [
            pytest.param({"include_usage": True}, True, id="asked"),
            pytest.param({"include_usage": False}, False, id="asked not to"),
            pytest.param({}, False, id="not asked"),
            pytest.param(None, False, id="null"),
        ],
    )
    def test_a_chat_caller_gets_one_only_if_it_asked(self, upstream: str, options: object, is_told: bool) -> None:
        pairing, stream = Pairing(Endpoint.CHAT, upstream), STREAMS[upstream](USAGES[upstream])
        told, scanner = pairing.read(stream.body, stream_options=options)
        chunks = [data for data in data_of(told) if data["choices"] == []]
        assert [chunk["usage"]["total_tokens"] for chunk in chunks] == ([12] if is_told else [])
        assert scanner.usage == Usage(7, 5)

    @pytest.mark.parametrize("upstream", list(STREAMS))
    def test_a_messages_caller_has_it_in_the_last_events(self, upstream: str) -> None:
        told, _ = Pairing(Endpoint.MESSAGES, upstream).read(STREAMS[upstream](USAGES[upstream]).body)
        (usage,) = [data["usage"] for data in data_of(told) if data["type"] == "message_delta"]
        assert (usage["input_tokens"], usage["output_tokens"]) == (7, 5)

    @pytest.mark.parametrize("upstream", list(STREAMS))
    def test_a_responses_caller_has_it_in_the_last_event(self, upstream: str) -> None:
        told, _ = Pairing(Endpoint.RESPONSES, upstream).read(STREAMS[upstream](USAGES[upstream]).body)
        usage = data_of(told)[-1]["response"]["usage"]
        assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (7, 5, 12)


CREATED = {"chat": 7, "messages": WALL, "gemini": WALL, "responses": 7}


class TestTime:
    @pytest.mark.parametrize("upstream", list(STREAMS))
    def test_a_chat_caller_is_told_one_always(self, upstream: str) -> None:
        told, _ = Pairing(Endpoint.CHAT, upstream).read(STREAMS[upstream](USAGES[upstream]).body)
        assert {data["created"] for data in data_of(told)} == {CREATED[upstream]}

    @pytest.mark.parametrize("upstream", list(STREAMS))
    def test_so_is_a_responses_caller(self, upstream: str) -> None:
        told, _ = Pairing(Endpoint.RESPONSES, upstream).read(STREAMS[upstream](USAGES[upstream]).body)
        responses = [data["response"] for data in data_of(told) if "response" in data]
        assert {response["created_at"] for response in responses} == {CREATED[upstream]}

    def test_of_a_plain_answer_too(self) -> None:
        body = b'{"type":"message","id":"c1","model":"m","content":[],"stop_reason":"end_turn"}'
        pairing = Pairing(Endpoint.CHAT, "messages")
        usage, told = pairing.pair.read_answer(body, pairing.outgoing())
        assert usage is None
        assert msgspec.json.decode(told)["created"] == WALL


class TestRequests:
    def test_the_model_is_the_upstreams_and_the_question_is_kept(self) -> None:
        pairing = Pairing(Endpoint.MESSAGES, "messages")
        body, sent = pairing.request(make_target("m", remote="claude"), system="Be brief.", stream=True)
        assert (body["model"], body["stream"], body["max_tokens"]) == ("claude", True, 9)
        assert sent.asked == pairing.outgoing(system="Be brief.", stream=True).asked
        assert (sent.content_type, sent.answer) == (b"application/json", None)

    def test_defaults_are_chats_and_for_what_the_caller_does_not_say(self) -> None:
        target = make_target("m", defaults={"max_tokens": 3, "temperature": 0.5, "top_p": 0.9})
        body, _ = Pairing(Endpoint.MESSAGES, "messages").request(target, temperature=0.25)
        assert (body["max_tokens"], body["temperature"]) == (9, 0.25)

    def test_what_both_halves_leave_out_is_listed(self) -> None:
        _, sent = Pairing(Endpoint.RESPONSES, "messages").request(
            make_target("m"), store=True, service_tier="flex", wat=1
        )
        assert {"store", "service_tier", "wat"} <= set(sent.dropped)

    @pytest.mark.parametrize("member", [{"messages": 7}, {"messages": [7]}, {"messages": [{"role": 7}]}])
    def test_what_cant_be_read_is_refused(self, member: Json) -> None:
        with pytest.raises(InvalidValue):
            Pairing(Endpoint.CHAT, "messages").request(make_target("m"), **member)

    @pytest.mark.parametrize(
        ("stream", "stream_usage", "options"),
        [
            pytest.param(True, True, {"include_usage": True}, id="streamed"),
            pytest.param(True, False, None, id="streamed by who does not know it"),
            pytest.param(False, True, None, id="plain"),
        ],
    )
    @pytest.mark.parametrize("caller", [Endpoint.MESSAGES, Endpoint.RESPONSES])
    def test_a_chat_upstream_is_asked_for_usage(
        self, caller: Endpoint, stream: bool, stream_usage: bool, options: Json | None
    ) -> None:
        target = make_target("m", make_upstream(stream_usage=stream_usage))
        body, _ = Pairing(caller, "chat").request(target, stream=stream)
        assert body.get("stream_options") == options

    def test_a_chat_upstream_gets_nothing_that_openai_does_not_know(self) -> None:
        thought: dict[str, Any] = {"type": "thinking", "thinking": "Hm", "signature": "s"}
        marked = {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}
        body, _ = Pairing(Endpoint.MESSAGES, "chat").request(
            make_target("m"),
            messages=[
                {"role": "user", "content": [marked]},
                {"role": "assistant", "content": [thought, {"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "ok"}]},
            ],
            tools=[{"name": "f", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}}],
        )
        text = msgspec.json.encode(body)
        for name in (b"cache_control", b"reasoning", b"extra_content", b"signature"):
            assert name not in text


def test_the_table_of_dialects_translates_what_is_not_native() -> None:
    for name, dialect in DIALECTS.items():
        for endpoint in LAST_WORDS:
            native = {"openai": Endpoint.CHAT, "azure": Endpoint.CHAT, "anthropic": Endpoint.MESSAGES}
            is_native = endpoint is native.get(name, Endpoint.RESPONSES if name == "responses" else None)
            pair = dialect.pairs[endpoint]
            assert pair.translates == isinstance(pair, Translated) == (not is_native)


def test_a_number_that_no_float_holds_is_refused() -> None:
    raw = {"model": msgspec.Raw(b'"m"'), "messages": msgspec.Raw(b"[]"), "temperature": msgspec.Raw(b"1e999")}
    with pytest.raises(InvalidValue):
        Pairing(Endpoint.CHAT, "messages").pair.request(make_ask("m", fields=raw), make_target("m"))
