"""What is asked for and a provider has no words for: dropped and told, refused by name, or another's to answer."""

from pathlib import Path

import pytest

from gateway.__main__ import main
from gateway.simulator import Simulator
from tests.conftest import StartGateway
from tests.dialects.callers import CALLERS, CHAT, MESSAGES, RESPONSES, Caller
from tests.dialects.providers import PROVIDERS, Provider
from tests.dialects.wire import ask, says, sent

BY_DIALECT = {provider.dialect: provider for provider in PROVIDERS}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(
    ("caller", "dialect", "fields", "dropped"),
    [
        pytest.param(CHAT, "anthropic", {"seed": 7}, "seed", id="chat at anthropic"),
        pytest.param(CHAT, "gemini", {"verbosity": "low", "store": True}, "verbosity,store", id="chat at gemini"),
        pytest.param(CHAT, "responses", {"seed": 7}, "seed", id="chat at responses"),
        pytest.param(CHAT, "anthropic", {"unheard_of": 1}, "unheard_of", id="unknown"),
        pytest.param(MESSAGES, "openai", {"top_k": 3}, "top_k", id="messages at openai"),
        pytest.param(RESPONSES, "openai", {"metadata": {"a": "b"}}, "metadata", id="responses at openai"),
        pytest.param(MESSAGES, "gemini", {"speed": "fast"}, "speed", id="messages at gemini"),
        pytest.param(CHAT, "openai", {"unheard_of": 1}, None, id="passed on"),
        pytest.param(MESSAGES, "anthropic", {"top_k": 3}, None, id="messages passed on"),
    ],
)
async def test_what_changes_nothing_is_dropped_and_told(
    caller: Caller,
    dialect: str,
    fields: dict[str, object],
    dropped: str | None,
    stream: bool,
    start_gateway: StartGateway,
    routes: str,
    upstream: Simulator,
) -> None:
    gateway = await start_gateway(routes)
    says(upstream, BY_DIALECT[dialect].text)
    answer = await ask(gateway, caller.path, caller.body(dialect, stream=stream, **fields))
    assert (answer.status, answer.header("x-gateway-dropped")) == (200, dropped)
    assert (fields.keys() <= sent(upstream).keys()) == (dropped is None)


REFUSED = [
    pytest.param(CHAT, "anthropic", {"logit_bias": {"1": 2}}, "openai", id="chat at anthropic"),
    pytest.param(CHAT, "gemini", {"logit_bias": {"1": 2}}, "openai", id="chat at gemini"),
    pytest.param(CHAT, "responses", {"logit_bias": {"1": 2}}, "openai", id="chat at responses"),
    pytest.param(
        MESSAGES,
        "openai",
        {"mcp_servers": [{"type": "url", "name": "a", "url": "https://x"}]},
        "anthropic",
        id="messages at openai",
    ),
    pytest.param(MESSAGES, "gemini", {"container": "c"}, "anthropic", id="messages at gemini"),
    pytest.param(RESPONSES, "openai", {"previous_response_id": "resp_1"}, "responses", id="responses at openai"),
    pytest.param(RESPONSES, "anthropic", {"background": True}, "responses", id="responses at anthropic"),
]


@pytest.mark.parametrize(("caller", "dialect", "fields", "other"), REFUSED)
async def test_what_cannot_be_said_is_refused_by_name(
    caller: Caller,
    dialect: str,
    fields: dict[str, object],
    other: str,
    start_gateway: StartGateway,
    routes: str,
    upstream: Simulator,
) -> None:
    gateway = await start_gateway(routes)
    answer = await ask(gateway, caller.path, caller.body(dialect, **fields))
    assert answer.status == 400
    [param] = fields
    if caller is MESSAGES:
        kind, message = caller.read_error(answer.json)
        assert (kind, param in message) == ("invalid_request_error", True)
    else:
        assert answer.error == (400, "unsupported_parameter")
        assert answer.json["error"]["param"] == param  # type: ignore[index]
    assert not upstream.requests


@pytest.mark.parametrize(("caller", "dialect", "fields", "other"), REFUSED)
async def test_a_later_target_that_can_say_it_answers(
    caller: Caller,
    dialect: str,
    fields: dict[str, object],
    other: str,
    start_gateway: StartGateway,
    routes: str,
    upstream: Simulator,
) -> None:
    gateway = await start_gateway(f"{routes}  both: [{dialect}, {other}]\n")
    says(upstream, BY_DIALECT[other].text)
    answer = await ask(gateway, caller.path, caller.body("both", **fields))
    assert (answer.status, answer.header("x-model-name")) == (200, other)
    assert fields.keys() <= sent(upstream).keys()
    assert len(upstream.requests) == 1
    call = await gateway.last_call()
    assert [attempt["outcome"] for attempt in call["attempts"]] == ["up_inexpressible", "ok"]


async def test_a_target_that_has_no_words_is_not_ill(
    start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes)
    says(upstream, BY_DIALECT["anthropic"].text)
    for _ in range(6):
        assert (await ask(gateway, CHAT.path, CHAT.body("anthropic", logit_bias={"1": 2}))).status == 400
    assert (await ask(gateway, CHAT.path, CHAT.body("anthropic"))).status == 200


def blind(routes: str, *names: str) -> str:
    """With models that see nothing."""
    for name in names:
        routes = routes.replace(
            f"  {name}: {{upstream: {name}, ", f"  {name}: {{upstream: {name}, capabilities: [tools], "
        )
    return routes


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.dialect)
@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.path)
async def test_a_request_stays_away_from_models_that_lack_what_it_needs(
    caller: Caller, provider: Provider, start_gateway: StartGateway, routes: str, upstream: Simulator, second: Simulator
) -> None:
    name = provider.dialect
    gateway = await start_gateway(blind(routes, name))
    says(upstream, provider.text)
    says(second, provider.text)
    seeing = await ask(gateway, caller.path, caller.body(f"either-{name}", **caller.image))
    assert (seeing.status, seeing.header("x-model-name")) == (200, f"{name}-2")
    assert not upstream.requests
    told = await ask(gateway, caller.path, caller.body(name, **caller.image))
    assert told.status == 400
    assert caller.read_error(told.json)[0] == "invalid_request_error"
    if caller is not MESSAGES:
        assert told.error == (400, "unsupported_by_model")
    assert not upstream.requests
    assert (await ask(gateway, caller.path, caller.body(name, tools=caller.tools))).status == 200


def test_explain_says_who_lacks_what(routes: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "routes.yaml"
    config.write_text(blind(routes, "gemini"))
    arguments = ["explain", "--config", str(config), "--model", "either-gemini", "--needs", "vision"]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert "gemini: left out: lacks what the call needs: vision" in told
    config.write_text(blind(routes, "gemini", "gemini-2"))
    assert main(arguments) == 1
    assert "unsupported_by_model" in capsys.readouterr().out
