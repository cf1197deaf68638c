"""Endpoints whose answers nobody reads: passed on by bytes, counted by request."""

import pytest

from gateway.simulator import Close, Gate, Reset, Send, Simulator, Step, Wait, chunked, error_answer, head, json_answer
from tests.conftest import KEY, StartGateway
from tests.dialects.forms import AUDIO, BOUNDARY, FILE, FORM, MODEL, form, part
from tests.dialects.providers import Json
from tests.dialects.wire import BEARER, ask, request, sent
from tests.e2e.answers import get
from tests.e2e.raw import RawClient, unchunked

TRANSCRIPTIONS, SPEECH = "/v1/audio/transcriptions", "/v1/audio/speech"
IMAGES, MODERATIONS = "/v1/images/generations", "/v1/moderations"
SAID = b'{"text": "hello",  "usage": {"type": "tokens", "input_tokens": 9, "output_tokens": 1, "total_tokens": 10}}'
JSON_BODIES: dict[str, Json] = {
    SPEECH: {"model": "voice", "input": "hello", "voice": "alloy"},
    IMAGES: {"model": "pictures", "prompt": "a cat"},
    MODERATIONS: {"model": "judge", "input": ["a", "b"]},
}
PATHS = [pytest.param(path, id=path.rpartition("/")[2]) for path in (TRANSCRIPTIONS, *JSON_BODIES)]
MPEG = head(200, [("Content-Type", "audio/mpeg"), ("Transfer-Encoding", "chunked"), ("x-request-id", "req_there")])


@pytest.fixture
def opaque(routes: str) -> str:
    """A model of each kind, and a key with limits."""
    kinds = {"whisper": "transcriptions", "voice": "speech", "pictures": "images", "judge": "moderations"}
    models = "".join(f"  {name}: {{upstream: openai, name: {name}-1, kind: {kind}}}\n" for name, kind in kinds.items())
    held = routes.replace("\nmodels:\n", f"\nmodels:\n{models}").replace(f"key: {KEY}", f"key: {KEY}, limits: small")
    return f"{held}limits: {{small: {{requests_per_minute: 3, tokens_per_minute: 1000}}}}\n"


def body_of(path: str) -> object:
    return form(FILE, MODEL) if path == TRANSCRIPTIONS else JSON_BODIES[path]


class TestForms:
    async def test_only_the_model_is_replaced(
        self, start_gateway: StartGateway, opaque: str, upstream: Simulator
    ) -> None:
        gateway = await start_gateway(opaque)
        upstream.script = lambda asked: json_answer(200, SAID)
        language = part("language", b"en")
        answer = await ask(gateway, TRANSCRIPTIONS, form(FILE, MODEL, language), FORM)
        assert (answer.status, answer.body) == (200, SAID)
        assert answer.header("x-model-name") == "whisper"
        [asked] = upstream.requests
        assert asked.path == TRANSCRIPTIONS
        assert asked.header(b"content-type") == FORM[0][1].encode()  # type: ignore[index]
        assert asked.body == form(FILE, part("model", b"whisper-1"), language)
        assert AUDIO in asked.body

    @pytest.mark.parametrize(
        ("body", "code", "param"),
        [
            pytest.param(form(FILE), "missing_required_parameter", "model", id="no model"),
            pytest.param(form(MODEL, FILE, MODEL), "invalid_value", "model", id="two models"),
            pytest.param(form(FILE, part("model", b"")), "invalid_value", "model", id="empty model"),
            pytest.param(form(FILE, part("model", b"\xff\xfe")), "invalid_value", "model", id="model in no UTF-8"),
            pytest.param(form(FILE, part("model", b"x" * 10_000)), "invalid_value", "model", id="endless model"),
            pytest.param(b"", "bad_request", None, id="nothing"),
            pytest.param(b"{}", "bad_request", None, id="JSON after all"),
            pytest.param(form(FILE, MODEL)[:-4], "bad_request", None, id="no end"),
            pytest.param(form(FILE, MODEL) + b"more", "bad_request", None, id="more after the end"),
            pytest.param(form(FILE, MODEL)[2:], "bad_request", None, id="half a delimiter"),
            pytest.param(form(FILE, b"model: whisper"), "bad_request", None, id="a part without a head"),
            pytest.param(form(FILE, b"X: " + b"y" * 9000 + b"\r\n" + MODEL), "bad_request", None, id="endless head"),
            pytest.param(form(*[part("a", b"")] * 100, MODEL), "bad_request", None, id="too many parts"),
            pytest.param(form(FILE, MODEL, end=b"x\r\n"), "bad_request", None, id="wrong delimiter"),
        ],
    )
    async def test_a_hostile_form_is_refused(
        self, body: bytes, code: str, param: str | None, start_gateway: StartGateway, opaque: str, upstream: Simulator
    ) -> None:
        gateway = await start_gateway(opaque)
        answer = await ask(gateway, TRANSCRIPTIONS, body, FORM)
        assert answer.error == (400, code)
        assert answer.json["error"]["param"] == param  # type: ignore[index]
        assert not upstream.requests

    @pytest.mark.parametrize(
        "name",
        [
            pytest.param(b"whisper\r\nX-Evil: 1", id="lines"),
            pytest.param(b"whisper\r\n--" + BOUNDARY[:-1].encode(), id="nearly a delimiter"),
            pytest.param(b"../etc", id="path"),
        ],
    )
    async def test_a_hostile_name_is_no_model(
        self, name: bytes, start_gateway: StartGateway, opaque: str, upstream: Simulator
    ) -> None:
        gateway = await start_gateway(opaque)
        answer = await ask(gateway, TRANSCRIPTIONS, form(FILE, part("model", name)), FORM)
        assert answer.error == (404, "model_not_found")
        assert b"Evil" not in answer.body
        assert not upstream.requests

    async def test_what_is_too_large_is_refused(
        self, start_gateway: StartGateway, opaque: str, upstream: Simulator
    ) -> None:
        gateway = await start_gateway(opaque.replace('"127.0.0.1:0"', '"127.0.0.1:0", max_body_bytes: 64KiB'))
        big = form(part("file", b"a" * 65536), MODEL)
        answer = await ask(gateway, TRANSCRIPTIONS, big, FORM)
        assert answer.error == (413, "request_too_large")
        assert not upstream.requests

    @pytest.mark.parametrize(
        "content_type",
        [
            "application/json",
            "multipart/form-data",
            "multipart/mixed; boundary=a",
            'multipart/form-data; boundary=""',
            f"multipart/form-data; boundary={'b' * 71}",
            'multipart/form-data; boundary="a b"',
            "multipart/form-data; boundary*=utf-8''a%0Ab",
        ],
    )
    async def test_other_media_types_are_refused(
        self, content_type: str, start_gateway: StartGateway, opaque: str, upstream: Simulator
    ) -> None:
        gateway = await start_gateway(opaque)
        answer = await ask(gateway, TRANSCRIPTIONS, form(FILE, MODEL), [("Content-Type", content_type)])
        assert answer.error == (415, "unsupported_media_type")
        assert not upstream.requests

    @pytest.mark.parametrize("path", JSON_BODIES)
    async def test_a_form_is_not_for_the_other_endpoints(
        self, path: str, start_gateway: StartGateway, opaque: str
    ) -> None:
        gateway = await start_gateway(opaque)
        assert (await ask(gateway, path, form(FILE, MODEL), FORM)).error == (415, "unsupported_media_type")


@pytest.mark.parametrize("path", JSON_BODIES)
async def test_only_the_model_of_a_request_is_replaced(
    path: str, start_gateway: StartGateway, opaque: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(opaque)
    answered = b'{"anything":  [1.50, 12345678901234567890]}'
    upstream.script = lambda asked: json_answer(200, answered)
    body = {**JSON_BODIES[path], "new": {"a": 1}}
    answer = await ask(gateway, path, body)
    assert (answer.status, answer.body, answer.header("content-type")) == (200, answered, "application/json")
    assert sent(upstream) == {**body, "model": f"{body['model']}-1"}
    assert upstream.requests[0].path == path


@pytest.mark.parametrize("path", PATHS)
async def test_every_endpoint_wants_a_key(
    path: str, start_gateway: StartGateway, opaque: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(opaque)
    answer = await ask(gateway, path, body_of(path), FORM, key=("Authorization", "Bearer wrong"))
    assert answer.error == (401, "invalid_api_key")
    assert not upstream.requests


@pytest.mark.parametrize("path", PATHS)
async def test_every_endpoint_is_limited_and_counted_by_request(
    path: str, start_gateway: StartGateway, opaque: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(opaque)
    upstream.script = lambda asked: json_answer(200, SAID)
    headers = FORM if path == TRANSCRIPTIONS else ()
    answers = [await ask(gateway, path, body_of(path), headers) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert answers[0].header("x-ratelimit-remaining-requests") == "2"
    assert answers[0].header("x-ratelimit-remaining-tokens") == "1000"
    assert answers[3].error == (429, "rate_limit_exceeded")
    limits = (await get(gateway, "/v1/key")).json["limits"]
    assert limits["tokens_per_minute"]["used"] == 0  # type: ignore[index]
    assert limits["requests_per_minute"]["used"] == 3  # type: ignore[index]
    call = await gateway.last_call()
    assert (call["outcome"], call["prompt_tokens"], call["completion_tokens"]) == ("ok", 0, 0)


@pytest.mark.parametrize("path", PATHS)
async def test_the_providers_refusal_has_openais_shape(
    path: str, start_gateway: StartGateway, opaque: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(opaque)
    upstream.script = lambda asked: error_answer(400, "No such voice.", code="bad_voice", param="voice")
    answer = await ask(gateway, path, body_of(path), FORM if path == TRANSCRIPTIONS else ())
    assert answer.error == (400, "bad_voice")
    assert answer.json["error"]["message"] == "No such voice."  # type: ignore[index]


async def test_speech_is_passed_on_as_it_comes(start_gateway: StartGateway, opaque: str, upstream: Simulator) -> None:
    gateway = await start_gateway(opaque)
    gate = Gate()
    upstream.script = lambda asked: [
        Send(MPEG + chunked(AUDIO)),
        Wait(gate),
        Send(chunked(AUDIO[::-1]) + b"0\r\n\r\n"),
    ]
    client = RawClient(gateway.port)
    await client.send(request(SPEECH, JSON_BODIES[SPEECH], key=BEARER))
    seen = await client.until(AUDIO)
    gate.open()
    rest, _ = await client.rest()
    start, _, body = (seen + rest).partition(b"\r\n\r\n")
    assert unchunked(body) == (AUDIO + AUDIO[::-1], True)
    assert b"content-type: audio/mpeg\r\n" in start
    assert b"x-upstream-request-id: req_there" in start
    call = await gateway.last_call()
    assert (call["outcome"], call["completion_tokens"]) == ("ok", 0)


async def test_events_of_speech_are_passed_on_as_they_are(
    start_gateway: StartGateway, opaque: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(opaque)
    events = b'data: {"type":"speech.audio.delta","audio":"AA=="}\n\ndata: {"type":"speech.audio.done"}\n\n'
    start = head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
    upstream.script = lambda asked: [Send(start + chunked(events) + b"0\r\n\r\n")]
    answer = await ask(gateway, SPEECH, {**JSON_BODIES[SPEECH], "stream_format": "sse"})
    assert (answer.complete, answer.body, answer.header("content-type")) == (True, events, "text/event-stream")


@pytest.mark.parametrize("ending", [pytest.param(Close(), id="closed"), pytest.param(Reset(), id="reset")])
async def test_a_broken_answer_is_cut(
    ending: Step, start_gateway: StartGateway, opaque: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(opaque)
    gate = Gate()
    upstream.script = lambda asked: [Send(MPEG + chunked(AUDIO)), Wait(gate), ending]
    client = RawClient(gateway.port)
    await client.send(request(SPEECH, JSON_BODIES[SPEECH]))
    seen = await client.until(AUDIO)
    gate.open()
    rest, _ = await client.rest()
    assert unchunked((seen + rest).partition(b"\r\n\r\n")[2]) == (AUDIO, False)
    call = await gateway.last_call()
    assert (call["outcome"], call["code"]) == ("broken", "upstream_interrupted")


@pytest.mark.parametrize("script", [[Close()], error_answer(503, "no")], ids=["closed", "503"])
async def test_what_fails_before_its_first_byte_goes_to_another(
    script: list[Step], start_gateway: StartGateway, opaque: str, upstream: Simulator, second: Simulator
) -> None:
    other = "  voice-2: {upstream: openai-2, kind: speech}\n"
    gateway = await start_gateway(
        opaque.replace("\nmodels:\n", f"\nmodels:\n{other}").replace(
            "\ntiers:\n", "\ntiers:\n  voices: [voice, voice-2]\n"
        )
    )
    upstream.script = lambda asked: script
    second.script = lambda asked: [Send(MPEG + chunked(AUDIO) + b"0\r\n\r\n")]
    answer = await ask(gateway, SPEECH, {**JSON_BODIES[SPEECH], "model": "voices"})
    assert (answer.complete, answer.body, answer.header("x-fallback-used")) == (True, AUDIO, "true")


@pytest.mark.parametrize("model", ["openai", "anthropic", "whisper"])
async def test_a_model_of_another_kind_is_not_found(
    model: str, start_gateway: StartGateway, opaque: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(opaque)
    answer = await ask(gateway, SPEECH, {**JSON_BODIES[SPEECH], "model": model})
    assert answer.error == (404, "model_not_found")
    assert not upstream.requests
