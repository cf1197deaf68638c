"""The older completions, and Azure: OpenAI's schema in other places."""

import json

import pytest

from gateway.simulator import Simulator, event, json_answer, sse_answer
from tests.conftest import StartGateway
from tests.dialects.callers import CHAT
from tests.dialects.providers import CREDENTIAL, DONE, OPENAI, RESPONSES
from tests.dialects.wire import ask, says, sent

PROMPT = {"prompt": "Once upon", "max_tokens": 9}
CHOICE = {"index": 0, "text": " a time", "finish_reason": "stop"}
SAID = {"id": "cmpl-1", "object": "text_completion", "choices": [CHOICE]}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


async def test_a_completion_is_passed_on_byte_for_byte(
    start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes)
    body = json.dumps({**SAID, "usage": USAGE}, indent=2).encode()
    upstream.script = lambda asked: json_answer(200, body)
    answer = await ask(gateway, "/v1/completions", {"model": "openai", **PROMPT})
    assert (answer.status, answer.body) == (200, body)
    assert upstream.requests[0].path == "/v1/completions"
    assert sent(upstream) == {"model": OPENAI.model, **PROMPT}
    call = await gateway.last_call()
    assert (call["route"], call["prompt_tokens"], call["completion_tokens"]) == ("completions", 3, 2)


async def test_a_streamed_completion_is_passed_on_byte_for_byte(
    start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes)
    usage = event({**SAID, "choices": [], "usage": USAGE})
    upstream.script = lambda asked: sse_answer([event(SAID), usage])
    answer = await ask(gateway, "/v1/completions", {"model": "openai", **PROMPT, "stream": True})
    assert (answer.complete, answer.body) == (True, event(SAID) + DONE)
    assert sent(upstream)["stream_options"] == {"include_usage": True}
    assert (await gateway.last_call())["completion_tokens"] == 2


@pytest.mark.parametrize("model", ["anthropic", "gemini", "responses"])
async def test_a_completion_is_translated_for_nobody(
    model: str, start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes)
    answer = await ask(gateway, "/v1/completions", {"model": model, **PROMPT})
    assert answer.error == (404, "model_not_found")
    assert not upstream.requests


class TestAzure:
    @pytest.fixture
    def azure(self, upstream: Simulator, routes: str) -> str:
        base = upstream.url.removesuffix("/v1")
        spoken = f'dialect: azure, base_url: "{base}", api_key: {CREDENTIAL}, api_version: "2024-10-21"'
        routes = routes.replace("\nupstreams:\n", f"\nupstreams:\n  azure: {{{spoken}}}\n")
        return routes.replace(
            "\nmodels:\n",
            '\nmodels:\n  "azure/*": {upstream: azure, name: "*"}\n'
            "  whisper: {upstream: azure, kind: transcriptions}\n  voice: {upstream: azure, kind: speech}\n",
        )

    @pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
    @pytest.mark.parametrize(
        ("name", "quoted"),
        [
            pytest.param("gpt-4.1_mini", "gpt-4.1_mini", id="plain name"),
            pytest.param("a/b", "a%2Fb", id="slash"),
            pytest.param("a:b@c+d", "a%3Ab%40c%2Bd", id="marks"),
        ],
    )
    async def test_the_deployment_is_in_the_path(
        self, name: str, quoted: str, stream: bool, start_gateway: StartGateway, azure: str, upstream: Simulator
    ) -> None:
        gateway = await start_gateway(azure)
        says(upstream, OPENAI.text)
        answer = await ask(gateway, CHAT.path, CHAT.body(f"azure/{name}", stream=stream))
        assert answer.status == 200
        [asked] = upstream.requests
        assert asked.path == f"/openai/deployments/{quoted}/chat/completions?api-version=2024-10-21"
        assert asked.header(b"api-key") == CREDENTIAL.encode()
        assert asked.header(b"authorization") is None

    @pytest.mark.parametrize("name", [".", "..", "../../openai"])
    async def test_a_name_does_not_lead_out_of_the_deployments(
        self, name: str, start_gateway: StartGateway, azure: str, upstream: Simulator
    ) -> None:
        gateway = await start_gateway(azure)
        says(upstream, OPENAI.text)
        await ask(gateway, CHAT.path, CHAT.body(f"azure/{name}"))
        assert not [
            segment for asked in upstream.requests for segment in asked.path.split("/") if segment in (".", "..")
        ]

    @pytest.mark.parametrize(
        ("path", "body", "end"),
        [
            pytest.param("/v1/completions", {"model": "azure/x", **PROMPT}, "x/completions", id="completions"),
            pytest.param("/v1/responses", {"model": "azure/x", "input": "hi"}, "x/chat/completions", id="responses"),
            pytest.param("/v1/audio/speech", {"model": "voice", "input": "hi"}, "voice/audio/speech", id="speech"),
        ],
    )
    async def test_every_endpoint_is_below_the_deployment(
        self, path: str, body: object, end: str, start_gateway: StartGateway, azure: str, upstream: Simulator
    ) -> None:
        gateway = await start_gateway(azure)
        says(upstream, OPENAI.text)
        answer = await ask(gateway, path, body)
        assert answer.status == 200
        assert upstream.requests[0].path == f"/openai/deployments/{end}?api-version=2024-10-21"


async def test_a_chat_caller_at_the_responses_api_asks_there(
    start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes)
    says(upstream, RESPONSES.text)
    await ask(gateway, CHAT.path, CHAT.body("responses"))
    assert [asked.path for asked in upstream.requests] == ["/v1/responses"]
