import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.call import Ask, Endpoint
from gateway.core.errors import UpstreamRejected
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
from gateway.wire.body import read_ask
from gateway.wire.dialect import DIALECTS
from gateway.wire.openai import MAX_MESSAGE, OpenAI, credential
from gateway.wire.pair import Outgoing
from tests.values import make_call, make_target, make_upstream

openai = OpenAI("/chat/completions")
NONE_SENT = Outgoing(b"")


def error(**fields: Any) -> bytes:
    return json.dumps({"error": fields}).encode()


def rejection(fault: Fault) -> UpstreamRejected:
    assert isinstance(fault, CallerFault | ContextFault)
    return fault.rejection


class TestFailures:
    @pytest.mark.parametrize(
        ("status", "fault"),
        [
            (400, CallerFault),
            (401, AuthFault),
            (402, CallerFault),
            (403, AuthFault),
            (404, CallerFault),
            (405, CallerFault),
            (408, StatusFault),
            (409, StatusFault),
            (413, CallerFault),
            (415, CallerFault),
            (422, CallerFault),
            (425, StatusFault),
            (429, RateLimitFault),
            (451, CallerFault),
            (499, CallerFault),
            (500, StatusFault),
            (502, StatusFault),
            (503, StatusFault),
            (504, StatusFault),
            (529, StatusFault),
            (599, StatusFault),
        ],
    )
    def test_a_status_is_a_fault_whatever_the_words_around_it(self, status: int, fault: type[Fault]) -> None:
        found = openai.read_failure(status, error(message="Something about it.", type="a_type", code="a_code"))
        assert type(found) is fault
        if isinstance(found, CallerFault):
            assert found.rejection.status == status

    @pytest.mark.parametrize(
        ("status", "fault"), [(400, CallerFault), (404, ModelMissingFault), (429, RateLimitFault), (500, StatusFault)]
    )
    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b"<html>no</html>", id="HTML"),
            pytest.param(b'{"error":{"message":"ha', id="half"),
            pytest.param(b"\xff\xfe", id="no UTF-8"),
            pytest.param(b"null", id="null"),
            pytest.param(b"[]", id="list"),
            pytest.param(b"{}", id="no error"),
            pytest.param(b'{"detail":"Not Found"}', id="FastAPI"),
            pytest.param(b'{"error":null}', id="error null"),
            pytest.param(b'{"error":7}', id="error a number"),
            pytest.param(b'{"error":[]}', id="error a list"),
            pytest.param(b'{"error":{}}', id="error without anything"),
            pytest.param(b'{"error":{"message":7,"type":7,"code":7.5,"param":7}}', id="numbers"),
            pytest.param(b'{"error":{"message":true,"type":false,"code":null,"param":[]}}', id="atoms"),
            pytest.param(b'{"error":{"message":["a"],"param":{"a":1}}}', id="containers as texts"),
            pytest.param(b"[" * 60_000, id="too deep"),
        ],
    )
    def test_a_body_of_any_shape_leaves_the_status_to_speak(self, status: int, fault: type[Fault], body: bytes) -> None:
        assert type(openai.read_failure(status, body)) is fault

    @pytest.mark.parametrize(
        ("status", "fault"), [(200, StatusFault), (400, CallerFault), (404, ModelMissingFault), (422, CallerFault)]
    )
    @pytest.mark.parametrize("fields", [{"code": {"a": 1}}, {"code": []}, {"type": ["a"]}], ids=repr)
    def test_so_does_one_with_containers_where_words_should_be(
        self, status: int, fault: type[Fault], fields: dict[str, object]
    ) -> None:
        assert type(openai.read_failure(status, error(**fields))) is fault

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(
                error(
                    message="This model's maximum context length is 8192 tokens. However, your messages resulted in 9",
                    type="invalid_request_error",
                    param="messages",
                    code="context_length_exceeded",
                ),
                id="OpenAI",
            ),
            pytest.param(error(message="too long", code="string_above_max_length"), id="OpenAI, one long string"),
            pytest.param(
                error(
                    code=400,
                    message="the request exceeds the available context size, try increasing it",
                    type="exceed_context_size_error",
                    n_prompt_tokens=5000,
                    n_ctx=4096,
                ),
                id="llama.cpp",
            ),
            pytest.param(
                error(
                    message="This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
                    type="BadRequestError",
                    param=None,
                    code=400,
                ),
                id="vLLM",
            ),
            pytest.param(
                json.dumps(
                    {
                        "object": "error",
                        "message": "This model's maximum context length is 4096 tokens. However, you requested 5000",
                        "type": "BadRequestError",
                        "param": None,
                        "code": 400,
                    }
                ).encode(),
                id="vLLM before 0.10, without a wrapper",
            ),
            pytest.param(
                error(message="prompt is too long: 210000 tokens > 200000 maximum", type="invalid_request_error"),
                id="Anthropic",
            ),
            pytest.param(
                error(
                    code=400,
                    message="The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
                    status="INVALID_ARGUMENT",
                ),
                id="Gemini",
            ),
            pytest.param(b'{"error":"the prompt does not fit into the context window"}', id="a plain text"),
        ],
    )
    @pytest.mark.parametrize("status", [400, 413, 422])
    def test_a_prompt_too_long_is_known_in_every_wording(self, body: bytes, status: int) -> None:
        fault = openai.read_failure(status, body)
        assert isinstance(fault, ContextFault)
        assert (fault.rejection.status, fault.rejection.code) == (status, "context_length_exceeded")

    @pytest.mark.parametrize(
        ("body", "fault"),
        [
            pytest.param(error(message="x", code="model_not_found"), ModelMissingFault, id="OpenAI"),
            pytest.param(error(message="x", code="DeploymentNotFound"), ModelMissingFault, id="Azure"),
            pytest.param(
                error(message='model "llama9" not found, try pulling it first', type="api_error", code=None),
                ModelMissingFault,
                id="Ollama",
            ),
            pytest.param(b'{"error":"model \'llama9\' not found"}', ModelMissingFault, id="Ollama, a plain text"),
            pytest.param(
                error(message="The model `x` does not exist.", type="NotFoundError", code=404),
                ModelMissingFault,
                id="vLLM",
            ),
            pytest.param(b"404 page not found", ModelMissingFault, id="a wrong base URL"),
            pytest.param(error(message="No such file: file-abc"), CallerFault, id="content"),
        ],
    )
    def test_a_404_is_the_routes_fault_unless_it_is_about_content(self, body: bytes, fault: type[Fault]) -> None:
        assert type(openai.read_failure(404, body)) is fault


class TestErrorsInsideOf200:
    @pytest.mark.parametrize(
        ("fields", "fault"),
        [
            pytest.param({"code": 429}, RateLimitFault, id="code 429"),
            pytest.param({"code": 400}, CallerFault, id="code 400"),
            pytest.param({"code": 401}, AuthFault, id="code 401"),
            pytest.param({"code": 503}, StatusFault, id="code 503"),
            pytest.param({"code": 200}, StatusFault, id="code 200"),
            pytest.param({"code": 99999}, StatusFault, id="code no status"),
            pytest.param({"code": True}, StatusFault, id="code true"),
            pytest.param({"type": "invalid_request_error"}, CallerFault, id="type invalid request"),
            pytest.param({"type": "authentication_error"}, AuthFault, id="type authentication"),
            pytest.param({"type": "permission_error"}, AuthFault, id="type permission"),
            pytest.param({"type": "rate_limit_error"}, RateLimitFault, id="type rate limit"),
            pytest.param({"type": "requests"}, RateLimitFault, id="type requests"),
            pytest.param({"type": "tokens"}, RateLimitFault, id="type tokens"),
            pytest.param({"type": "insufficient_quota"}, RateLimitFault, id="type quota"),
            pytest.param({"type": "server_error"}, StatusFault, id="type server"),
            pytest.param({"type": 7}, StatusFault, id="type a number"),
            pytest.param({}, StatusFault, id="nothing said"),
            pytest.param({"message": "exceeds the context size"}, ContextFault, id="context"),
        ],
    )
    def test_they_mean_what_their_code_or_type_would_mean_as_a_status(
        self, fields: dict[str, object], fault: type[Fault]
    ) -> None:
        body = error(**{"message": "It broke.", **fields})
        assert type(openai.read_failure(200, body)) is fault
        with pytest.raises(fault):
            openai.read_answer(body, NONE_SENT)

    def test_a_text_is_an_error_too(self) -> None:
        assert type(openai.read_failure(200, b'{"error":"it broke"}')) is StatusFault

    def test_a_rejection_has_a_status_that_rejects(self) -> None:
        fault = openai.read_failure(200, error(message="no", type="invalid_request_error"))
        assert rejection(fault).status == 400


class TestRejections:
    def test_the_upstreams_words_are_kept(self) -> None:
        fault = openai.read_failure(422, error(message="No.", type="a_type", param="messages[0]", code="a_code"))
        said = rejection(fault)
        assert (said.status, said.message, said.type, said.param, said.code) == (
            422,
            "No.",
            "a_type",
            "messages[0]",
            "a_code",
        )

    def test_what_was_not_said_is_filled_in(self) -> None:
        said = rejection(openai.read_failure(400, b"<html>"))
        assert (said.message, said.type, said.param, said.code) == (
            "The provider rejected the request.",
            "invalid_request_error",
            None,
            "upstream_rejected",
        )

    def test_an_error_without_a_code_keeps_none(self) -> None:
        said = rejection(openai.read_failure(400, error(message="No.", type="a_type", code=None)))
        assert (said.message, said.type, said.code) == ("No.", "a_type", None)

    @pytest.mark.parametrize("value", [7, True, ["a"], "x" * 65, "a\nb", "\u202e", "", "a\x00"], ids=repr)
    def test_words_that_are_not_short_and_printable_are_dropped(self, value: object) -> None:
        said = rejection(openai.read_failure(400, error(message="No.", param=value)))
        assert said.param is None

    @pytest.mark.parametrize(
        "character",
        ["a", "é"],
    )
    def test_a_message_is_cut_at_2_kb(self, character: str) -> None:
        said = rejection(openai.read_failure(400, error(message=character * 5_000_000)))
        assert said.message.strip(character) == ""
        assert MAX_MESSAGE - 4 < len(said.message.encode()) <= MAX_MESSAGE


WEIRD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
)


@given(st.integers(400, 599) | st.just(200), WEIRD, WEIRD, WEIRD, WEIRD)
def test_no_error_of_any_shape_raises_or_says_what_clients_cannot_read(
    status: int, message: object, kind: object, param: object, code: object
) -> None:
    fault = openai.read_failure(status, error(message=message, type=kind, param=param, code=code))
    if isinstance(fault, CallerFault | ContextFault):
        said = fault.rejection
        assert 400 <= said.status < 500
        assert isinstance(said.message, str)
        assert isinstance(said.type, str)
        assert isinstance(said.code, str | None)


class TestAnswers:
    @pytest.mark.parametrize(
        ("body", "usage"),
        [
            (b'{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2}}', Usage(7, 2)),
            (b'{"data":[],"usage":{"prompt_tokens":7,"total_tokens":7}}', Usage(7, 0)),
            (b'{"choices":[]}', None),
            (b'{"choices":[],"usage":null,"error":null}', None),
            (b'{"choices":[],"usage":"none"}', None),
            (b' {"choices":[],"usage":{"prompt_tokens":-7}} ', None),
        ],
    )
    def test_a_good_answers_usage_is_read(self, body: bytes, usage: Usage | None) -> None:
        assert openai.read_answer(body, NONE_SENT) == (usage, body)

    @pytest.mark.parametrize("body", [b"", b" \r\n "])
    def test_an_empty_answer_is_a_fault(self, body: bytes) -> None:
        with pytest.raises(EmptyFault):
            openai.read_answer(body, NONE_SENT)

    @pytest.mark.parametrize("body", [b'{"choices":[', b"<html>", b"[]", b"null", b"\xff", b"{}x", b"data: {}\n\n"])
    def test_so_is_one_that_is_no_json_object(self, body: bytes) -> None:
        with pytest.raises(ProtocolFault):
            openai.read_answer(body, NONE_SENT)


def sent(extra: dict[str, object], *, stream_usage: bool = True, **model: Any) -> dict[str, Any]:
    """The body that goes to the upstream for a client's body."""
    body = json.dumps({"model": "fast", "messages": ["hi"], **extra}).encode()
    ask = read_ask(body, make_call(), ())
    target = make_target("gpt", make_upstream(stream_usage=stream_usage), **model)
    decoded: dict[str, Any] = json.loads(openai.request(ask, target).body)
    return decoded


class TestRequests:
    def test_the_model_is_called_what_the_upstream_calls_it(self) -> None:
        assert sent({}, remote="gpt-2025") == {"model": "gpt-2025", "messages": ["hi"]}

    def test_the_ask_is_left_as_it_is_for_the_next_target(self) -> None:
        ask = read_ask(b'{"model":"fast","messages":["hi"],"stream":true}', make_call(), ())
        before = dict(ask.fields)
        first = openai.request(ask, make_target("a", defaults={"top_p": 1})).body
        assert dict(ask.fields) == before
        assert b"top_p" in first
        assert b"top_p" not in openai.request(ask, make_target("b")).body

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            pytest.param({}, {"include_usage": True}, id="none"),
            pytest.param({"stream_options": None}, {"include_usage": True}, id="null"),
            pytest.param({"stream_options": {}}, {"include_usage": True}, id="empty"),
            pytest.param({"stream_options": {"include_usage": False}}, {"include_usage": True}, id="not wanted"),
            pytest.param({"stream_options": {"x": [1]}}, {"x": [1], "include_usage": True}, id="others are kept"),
            pytest.param(
                {"stream_options": {"include_usage": True, "x": 1}}, {"include_usage": True, "x": 1}, id="wanted"
            ),
        ],
    )
    def test_a_stream_always_asks_for_usage(self, options: dict[str, object], expected: dict[str, object]) -> None:
        assert sent({"stream": True, **options})["stream_options"] == expected

    @pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}])
    def test_unless_the_upstream_does_not_know_how(self, options: dict[str, object]) -> None:
        assert "stream_options" not in sent({"stream": True, **options}, stream_usage=False)

    @pytest.mark.parametrize("extra", [{}, {"stream": False}, {"stream": None}])
    def test_b118_stream_options_without_a_stream_are_removed(self, extra: dict[str, object]) -> None:
        assert "stream_options" not in sent({**extra, "stream_options": {"include_usage": True}})

    @pytest.mark.parametrize(
        ("extra", "defaults", "expected"),
        [
            pytest.param({}, {"temperature": 0.7}, {"temperature": 0.7}, id="absent"),
            pytest.param({"temperature": 0}, {"temperature": 0.7}, {"temperature": 0}, id="set"),
            pytest.param({"temperature": None}, {"temperature": 0.7}, {"temperature": None}, id="set to null"),
            pytest.param({}, {"max_tokens": 9}, {"max_tokens": 9}, id="max_tokens absent"),
            pytest.param({"max_tokens": 5}, {"max_tokens": 9}, {"max_tokens": 5}, id="max_tokens set"),
            pytest.param(
                {"max_completion_tokens": 5}, {"max_tokens": 9}, {"max_completion_tokens": 5}, id="the other one set"
            ),
            pytest.param(
                {"max_tokens": 5}, {"max_completion_tokens": 9}, {"max_tokens": 5}, id="the other one set, reversed"
            ),
            pytest.param({}, {"extra": {"a": [1]}}, {"extra": {"a": [1]}}, id="containers"),
        ],
    )
    def test_defaults_are_sent_where_the_caller_said_nothing(
        self, extra: dict[str, object], defaults: dict[str, object], expected: dict[str, object]
    ) -> None:
        assert sent(extra, defaults=defaults) == {"model": "gpt", "messages": ["hi"], **expected}

    def test_paths_and_credential(self) -> None:
        pairs = DIALECTS["openai"].pairs
        for endpoint, path in ((Endpoint.CHAT, "/chat/completions"), (Endpoint.EMBEDDINGS, "/embeddings")):
            assert pairs[endpoint].path(Ask("gpt", {}), make_target()) == path
        assert credential(make_upstream(api_key="sk-1")) == (("Authorization", "Bearer sk-1"),)
        assert credential(make_upstream()) == ()

    @pytest.mark.parametrize("include_usage", [False, True])
    def test_the_usage_chunk_is_dropped_unless_asked_for(self, include_usage: bool) -> None:
        chunk = b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2}}\n\n'
        scanner = openai.scanner(Ask("gpt", {}, stream=True, include_usage=include_usage), NONE_SENT)
        scanner.feed(b'data: {"choices":[{"delta":{}}]}\n\n')
        assert scanner.feed(chunk) == (chunk if include_usage else b"")
        assert scanner.usage == Usage(7, 2)


def test_the_dialect_is_in_the_table() -> None:
    assert isinstance(DIALECTS["openai"].pairs[Endpoint.CHAT], OpenAI)


def test_a_request_is_whole_json_of_its_fields() -> None:
    ask = Ask("gpt", {"model": msgspec.Raw(b'"gpt"'), "a b": msgspec.Raw(b"[1 , 2]")})
    assert openai.request(ask, make_target("gpt")).body == b'{"model":"gpt","a b":[1 , 2]}'
