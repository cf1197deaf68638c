"""Claude Code and Codex over every dialect: recorded requests, replayed."""

import itertools
import json

import pytest

from gateway.simulator import Simulator
from tests.conftest import StartGateway
from tests.dialects.callers import events_of
from tests.dialects.providers import Json
from tests.dialects.schemas import check
from tests.dialects.wire import sent
from tests.dialects_clients.replay import BY_DIALECT, FOUND, SCHEMAS, Heard, Recorded, hear, routes, says
from tests.e2e.answers import get
from tests.sdk.upstreams.said import Call, Said

_COMMAND = {"command": "cat note.txt"}
_PATCH = "*** Begin Patch\n*** Delete File: note.txt\n*** End Patch\n"
_ENDED = Said("any", f"It says {FOUND}.")


def _calls(tool: str, arguments: Json) -> Said:
    return Said("any", "Let me look.", "I should read it.", (Call("call_1", tool, json.dumps(arguments)),))


_LOOKED = "Let me look."
# What the provider says, and what of it the client hears.
TURNS = {
    "claude_code_turn": (_calls("Bash", _COMMAND), Heard(_LOOKED, [("Bash", _COMMAND)])),
    "claude_code_result": (_ENDED, Heard(_ENDED.text, [])),
    "claude_code_title": (Said("any", '{"title":"A note"}'), Heard('{"title":"A note"}', [])),
    "codex_turn": (_calls("exec_command", {"cmd": "ls"}), Heard(_LOOKED, [("exec_command", {"cmd": "ls"})])),
    "codex_result": (_ENDED, Heard(_ENDED.text, [])),
    "codex_patch": (_calls("apply_patch", {"input": _PATCH}), Heard(_LOOKED, [("apply_patch", _PATCH)])),
}
NATIVE = {"claude_code": "anthropic", "codex": "responses"}
TRANSLATED = [
    pytest.param(name, dialect, id=f"{name} at {dialect}")
    for name, dialect in itertools.product(TURNS, SCHEMAS)
    if not any(name.startswith(client) for client, own in NATIVE.items() if own == dialect)
]


@pytest.mark.parametrize(("name", "dialect"), TRANSLATED)
async def test_a_recorded_turn_is_answered_by_every_other_dialect(
    name: str, dialect: str, start_gateway: StartGateway, upstream: Simulator
) -> None:
    recorded, (said, heard) = Recorded.of(name), TURNS[name]
    gateway = await start_gateway(routes(upstream, upstream))
    says(upstream, dialect, said)
    answer = await recorded.ask(gateway, dialect)
    assert (answer.status, answer.complete) == (200, True), answer.body
    assert hear(answer) == heard
    check(BY_DIALECT[dialect], sent(upstream), stream=True)
    assert _tools(recorded.body) <= _names(sent(upstream))
    assert (FOUND in json.dumps(sent(upstream))) == (FOUND in json.dumps(recorded.body))


@pytest.mark.parametrize("name", TURNS)
async def test_a_recorded_turn_reaches_its_own_provider_as_it_is(
    name: str, start_gateway: StartGateway, upstream: Simulator
) -> None:
    recorded = Recorded.of(name)
    [dialect] = [own for client, own in NATIVE.items() if name.startswith(client)]
    gateway = await start_gateway(routes(upstream, upstream))
    says(upstream, dialect, _ENDED)
    answer = await recorded.ask(gateway, dialect)
    assert (answer.status, hear(answer)) == (200, Heard(_ENDED.text, []))
    assert answer.header("x-gateway-dropped") is None
    kept = {**recorded.body, "model": BY_DIALECT[dialect].model}
    if "input" in kept:  # without what the gateway sealed of another provider's thoughts
        kept["input"] = [item for item in kept["input"] if item["type"] != "reasoning"]
    assert sent(upstream) == kept


def _tools(body: Json) -> set[str]:
    """Those that are the client's own; of a namespace, each with its name before it."""
    own = {tool["name"] for tool in body["tools"] if tool.get("type") in (None, "function", "custom")}
    spaces = [tool for tool in body["tools"] if tool.get("type") == "namespace"]
    return own | {f"{space['name']}__{tool['name']}" for space in spaces for tool in space["tools"]}


def _names(body: Json) -> set[str]:
    """What the provider is told of tools."""
    declared = [one for tool in body.get("tools", ()) for one in tool.get("functionDeclarations", [tool])]
    return {one.get("function", one).get("name") for one in declared}


@pytest.mark.parametrize("name", ["claude_code_turn", "claude_code_count"])
async def test_anthropic_is_told_which_betas_claude_code_speaks(
    name: str, start_gateway: StartGateway, upstream: Simulator
) -> None:
    recorded = Recorded.of(name)
    gateway = await start_gateway(routes(upstream, upstream))
    says(upstream, "anthropic", _ENDED)
    assert (await recorded.ask(gateway, "anthropic")).status == 200
    [asked] = upstream.requests
    for header in ("anthropic-beta", "anthropic-version"):
        assert asked.header(header.encode()) == dict(recorded.headers)[header].encode()
    assert asked.header(b"x-api-key") == b"key-of-anthropic"


@pytest.mark.parametrize("dialect", SCHEMAS)
async def test_claude_code_is_told_how_many_tokens_its_context_has(
    dialect: str, start_gateway: StartGateway, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes(upstream, upstream))
    says(upstream, dialect, _ENDED)
    answer = await Recorded.of("claude_code_count").ask(gateway, dialect)
    assert (answer.status, answer.json.keys()) == (200, {"input_tokens"})
    assert answer.json["input_tokens"] > 0


# What only the provider itself can do, and whose it is.
_OWN = [
    pytest.param("claude_code_search", "search", "anthropic", id="Claude Code searches the web"),
    pytest.param("codex_compaction", "compaction", "responses", id="Codex has its provider compact"),
]


@pytest.mark.parametrize(("name", "tier", "able"), _OWN)
async def test_what_only_its_own_provider_can_do_is_refused_by_the_others(
    name: str, tier: str, able: str, start_gateway: StartGateway, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes(upstream, upstream))
    for dialect in SCHEMAS.keys() - {able}:
        answer = await Recorded.of(name).ask(gateway, dialect)
        assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error")
    assert not upstream.requests


@pytest.mark.parametrize(("name", "tier", "able"), _OWN)
async def test_in_a_tier_the_one_that_can_do_it_is_asked(
    name: str, tier: str, able: str, start_gateway: StartGateway, upstream: Simulator, second: Simulator
) -> None:
    gateway = await start_gateway(routes(upstream, second))
    says(second, able, _ENDED)
    answer = await Recorded.of(name).ask(gateway, tier)
    assert (answer.status, answer.header("x-provider")) == (200, able)
    assert not upstream.requests
    assert sent(second)["tools"] == Recorded.of(name).body["tools"]


async def test_claude_code_finds_the_gateway_and_its_models(start_gateway: StartGateway, upstream: Simulator) -> None:
    gateway = await start_gateway(routes(upstream, upstream))
    assert (await get(gateway, "/", method="HEAD", key=None)).status == 200
    answer = await get(gateway, "/v1/models?limit=1000", headers="anthropic-version: 2023-06-01\r\n")
    listed = {model["id"]: model["type"] for model in answer.json["data"]}
    assert dict.fromkeys(SCHEMAS, "model").items() <= listed.items()


async def test_claude_code_finds_the_answer_at_the_end_of_a_message(
    start_gateway: StartGateway, upstream: Simulator
) -> None:
    """Print mode shows the text of a message's last block, and nothing if that is a thought."""
    gateway = await start_gateway(routes(upstream, upstream))
    says(upstream, "gemini", Said("any", "It says so.", "I should read it."))
    answer = await Recorded.of("claude_code_turn").ask(gateway, "gemini")
    blocks = [one.data["content_block"]["type"] for one in events_of(answer.body) if one.name == "content_block_start"]
    assert blocks[-1] == "text"


async def test_codex_is_told_at_once_that_there_are_no_websockets(
    start_gateway: StartGateway, upstream: Simulator
) -> None:
    """It goes on with POST after a 426; after any other status it tries six times more."""
    gateway = await start_gateway(routes(upstream, upstream))
    headers = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    assert (await get(gateway, "/v1/responses", headers=headers)).status == 426
