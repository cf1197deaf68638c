"""Messages passed on as they are: requests, and answers that are no streams."""

import contextlib
import json

import msgspec
import pytest

from gateway.core.call import Endpoint
from gateway.core.errors import Refusal
from gateway.core.fault import (
    AuthFault,
    CallerFault,
    ContextFault,
    EmptyFault,
    Fault,
    ModelMissingFault,
    ProtocolFault,
    RateLimitFault,
    StatusFault,
)
from gateway.core.outcome import Usage
from gateway.wire.anthropic_native import Anthropic, CountTokens, Estimated, credential, pinned
from gateway.wire.body import read_ask
from gateway.wire.pair import Outgoing
from gateway.wire.usage import estimate_tokens
from tests.values import make_ask, make_call, make_target, make_upstream

MESSAGES = Anthropic("/messages")
SENT = Outgoing(b"")


class TestRequests:
    def test_only_the_models_name_is_replaced(self) -> None:
        body = b'{"model":"gpt","max_tokens":1,"messages":[{"role":"user","content":"a"}],"x":{"y":1.10}}'
        ask = read_ask(body, make_call(endpoint=Endpoint.MESSAGES), ())
        sent = MESSAGES.request(ask, make_target("gpt", remote="claude"))
        assert sent.body == body.replace(b'"gpt"', b'"claude"')
        assert (sent.dropped, sent.answer, sent.asked) == ((), None, None)

    def test_defaults_are_added_where_the_caller_says_nothing(self) -> None:
        target = make_target(defaults={"max_tokens": 5, "top_k": 2})
        ask = make_ask(fields={"model": "gpt", "messages": msgspec.Raw(b"[]"), "top_k": 9})
        sent = msgspec.json.decode(MESSAGES.request(ask, target).body)
        assert sent == {"model": "gpt", "messages": [], "max_tokens": 5, "top_k": 9}

    def test_counting_tokens_adds_no_defaults(self) -> None:
        ask = make_ask(fields={"model": "gpt", "messages": msgspec.Raw(b"[]")})
        sent = CountTokens("/x").request(ask, make_target(defaults={"max_tokens": 5}))
        assert msgspec.json.decode(sent.body) == {"model": "gpt", "messages": []}

    def test_tokens_are_estimated_of_all_that_the_model_reads(self) -> None:
        body = b'{"model":"m","messages":[{"role":"user"}],"system":"be","tools":[{}],"metadata":{"user_id":"u"}}'
        ask = read_ask(body, make_call(endpoint=Endpoint.COUNT_TOKENS), ())
        sent = Estimated("").request(ask, make_target())
        assert sent.answer is not None
        assert json.loads(sent.answer) == {"input_tokens": estimate_tokens(b'"be"[{"role":"user"}][{}]')}

    def test_the_key_and_the_version_go_as_anthropic_has_them(self) -> None:
        assert credential(make_upstream(api_key="sk")) == (("x-api-key", "sk"),)
        assert credential(make_upstream()) == ()
        assert pinned(make_upstream()) == ((b"anthropic-version", b"2023-06-01"),)
        assert pinned(make_upstream(api_version="2027-01-01")) == ((b"anthropic-version", b"2027-01-01"),)


def failed(kind: str, message: str = "No.") -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()


class TestAnswers:
    def test_one_passes_as_it_came_with_its_usage(self) -> None:
        body = b' {"type":"message", "usage":{"input_tokens":3,"output_tokens":4,"cache_read_input_tokens":2}}\n'
        assert MESSAGES.read_answer(body, SENT) == (Usage(5, 4, 2), body)

    @pytest.mark.parametrize("usage", [b"", b',"usage":null', b',"usage":{}', b',"usage":"much"'])
    def test_one_without_usage_has_none(self, usage: bytes) -> None:
        body = b'{"type":"message"%b}' % usage
        assert MESSAGES.read_answer(body, SENT) == (None, body)

    def test_counted_tokens_cost_none(self) -> None:
        assert CountTokens("/x").read_answer(b'{"input_tokens":9}', SENT) == (Usage(0, 0), b'{"input_tokens":9}')

    @pytest.mark.parametrize(
        ("body", "fault"),
        [
            pytest.param(b"", EmptyFault, id="empty"),
            pytest.param(b" \r\n", EmptyFault, id="blank"),
            pytest.param(b"{", ProtocolFault, id="half"),
            pytest.param(b"<html>", ProtocolFault, id="a page"),
            pytest.param(b"[]", ProtocolFault, id="a list"),
            pytest.param(b'{"type":7}', ProtocolFault, id="a number for a type"),
            pytest.param(failed("overloaded_error"), StatusFault, id="overloaded"),
            pytest.param(failed("rate_limit_error"), RateLimitFault, id="rate limit"),
            pytest.param(failed("authentication_error"), AuthFault, id="our key"),
            pytest.param(failed("not_found_error", "model: x"), ModelMissingFault, id="model"),
            pytest.param(failed("invalid_request_error"), CallerFault, id="the caller's"),
            pytest.param(failed("invalid_request_error", "prompt is too long: 9"), ContextFault, id="too long"),
        ],
    )
    def test_one_that_is_none_is_a_fault(self, body: bytes, fault: type[Fault]) -> None:
        with pytest.raises(fault) as raised:
            MESSAGES.read_answer(body, SENT)
        assert type(raised.value) is fault


def test_a_number_that_no_float_holds_is_no_internal_error() -> None:
    raw = b'[{"role":"assistant","content":[{"type":"thinking","thinking":"","signature":""}],"x":1e999}]'
    with contextlib.suppress(Refusal):
        assert MESSAGES.request(make_ask(fields={"messages": msgspec.Raw(raw)}), make_target()).body
