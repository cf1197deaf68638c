import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.call import Endpoint, Form
from gateway.core.fault import AuthFault, CallerFault, Fault, RateLimitFault, StatusFault
from gateway.core.outcome import Usage
from gateway.wire.body import read_ask
from gateway.wire.opaque import NO_TOKENS, Opaque
from gateway.wire.pair import Outgoing
from tests.values import make_ask, make_call, make_target
from tests.wire.steady import steady

SPEECH = Opaque("/audio/speech")


def test_only_the_models_name_is_replaced() -> None:
    body = b'{"model":"tts","input":"a","voice":{"id":"v"},"speed":1.10}'
    sent = SPEECH.request(read_ask(body, make_call(endpoint=Endpoint.SPEECH), ()), make_target("tts", remote="tts-1"))
    assert sent.body == body.replace(b'"tts"', b'"tts-1"')
    assert (sent.content_type, sent.answer, sent.dropped) == (b"application/json", None, ())


def test_defaults_are_for_what_the_caller_does_not_say() -> None:
    target = make_target("tts", remote="tts-1", defaults={"voice": "alloy", "speed": 2, "model": "other"})
    sent = SPEECH.request(make_ask("tts", fields={"model": "tts", "speed": msgspec.Raw(b"1")}), target)
    assert json.loads(sent.body) == {"model": "tts-1", "voice": "alloy", "speed": 1}


def test_in_a_form_the_models_name_goes_where_it_stood() -> None:
    form = Form(b"--b\r\n\r\n", b"\r\n--b--\r\n", 'multipart/form-data; boundary="b"')
    sent = SPEECH.request(make_ask("w", fields={}, form=form), make_target("w", remote="whisper-é"))
    assert sent.body == "--b\r\n\r\nwhisper-é\r\n--b--\r\n".encode()
    assert sent.content_type == form.content_type.encode()


def test_a_form_gets_no_defaults() -> None:
    form = Form(b"<", b">", "multipart/form-data; boundary=b")
    sent = SPEECH.request(make_ask("w", fields={}, form=form), make_target("w", defaults={"language": "de"}))
    assert sent.body == b"<w>"


@steady
@given(st.binary())
def test_an_answer_is_nobodys_to_read_and_costs_no_tokens(body: bytes) -> None:
    usage, told = SPEECH.read_answer(body, Outgoing(b""))
    assert told is body
    assert usage == NO_TOKENS == Usage(0, 0)


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        pytest.param(400, CallerFault, id="the caller's"),
        pytest.param(401, AuthFault, id="our key"),
        pytest.param(429, RateLimitFault, id="rate limit"),
        pytest.param(500, StatusFault, id="the provider's"),
    ],
)
def test_an_error_is_read_as_openais(status: int, fault: type[Fault]) -> None:
    assert type(SPEECH.read_failure(status, b'{"error":{"message":"No."}}')) is fault


def test_it_passes_whatever_it_is_and_is_not_translated() -> None:
    assert (SPEECH.opaque, SPEECH.translates, SPEECH.path(make_ask(), make_target())) == (True, False, "/audio/speech")
