"""Every front door over every API of a server that speaks three: what one says through another is what it says itself.

The model is greedy here, and says the same words over and over; offered the tool, it calls it.
"""

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import anthropic
import openai
import pytest
from aiohttp import ClientSession

from tests.conftest import HEADERS, KEY, Gateway, StartGateway
from tests.realllm.doors import DOORS, Asked, Chat, Door, Heard, Messages, Responses
from tests.realllm.slots import is_busy, until_idle

MODEL = "tiny-random"
WORDS, CALL = Asked(limit=20), Asked(limit=1000, tool=True)
APIS = ("openai", "responses", "anthropic", "all")

_PAIRS = [pytest.param(door, api, id=f"{door} over {api}") for door in DOORS for api in APIS]
over_every_api = pytest.mark.parametrize(("name", "api"), _PAIRS)


@pytest.fixture
async def gateway(start_gateway: StartGateway, url: str) -> Gateway:
    """A model for each API of the server, and one that may be asked in `all`."""
    spoken = {api: api for api in APIS} | {"all": "[openai, responses, anthropic]"}
    upstreams = ", ".join(f'{name}: {{base_url: "{url}", dialect: {dialect}}}' for name, dialect in spoken.items())
    models = ", ".join(f"{name}: {{upstream: {name}, name: {MODEL}}}" for name in spoken)
    return await start_gateway(f"""
upstreams: {{{upstreams}}}
models: {{{models}}}
keys: [{{name: tester, key: {KEY}}}]
""")


class House:
    """The doors of the gateway, and the server behind it."""

    def __init__(self, gateway: Gateway, url: str) -> None:
        self.gateway = gateway
        self.url = url
        self._opened: list[Door] = []

    def door(self, name: str) -> Chat | Responses | Messages:
        return self._open(name, self.gateway.url)

    async def itself(self, asked: Asked) -> Heard:
        """What the server says as chat completions to who asks it without a gateway."""
        return await self._open("chat", self.url).streamed(MODEL, asked)

    async def close(self) -> None:
        for door in self._opened:
            await door.close()

    def _open(self, name: str, url: str) -> Chat | Responses | Messages:
        self._opened.append(door := DOORS[name](url))
        return door


@pytest.fixture
async def house(gateway: Gateway, url: str) -> AsyncIterator[House]:
    house = House(gateway, url)
    yield house
    await house.close()


def over(api: str, door: str, said: Heard) -> Heard:
    """As it is heard there: llama.cpp's Responses API calls an answer completed that came to its limit."""
    limited = said.finish == "length" and (api == "responses" or (api, door) == ("all", "responses"))
    return replace(said, finish="stop") if limited else said


@over_every_api
async def test_words_are_the_servers_own(name: str, api: str, house: House) -> None:
    said, door = await house.itself(WORDS), house.door(name)
    plain, stream = await door.plain(api, WORDS), await door.streamed(api, WORDS)
    assert plain == stream == over(api, name, said)
    assert stream.pieces == said.pieces
    assert (len(said.pieces), said.usage[1], said.finish) == (20, 20, "length")
    for call in house.gateway.calls():
        assert (call["prompt_tokens"], call["completion_tokens"], call["usage_source"]) == (*said.usage, "provider")
        assert (call["outcome"], call["upstream"]) == ("ok", api)


@over_every_api
async def test_a_tool_is_called_plain_and_streamed(name: str, api: str, house: House) -> None:
    said, door = await house.itself(CALL), house.door(name)
    plain, stream = await door.plain(api, CALL), await door.streamed(api, CALL)
    assert plain == stream == said
    assert "".join(stream.pieces) == "".join(said.pieces)
    assert len(stream.pieces) == len(said.pieces) > 3
    assert [(call.name, call.arguments["city"] in ("Paris", "Rome")) for call in said.calls] == [("get_weather", True)]
    assert said.finish == "tool_calls"


@over_every_api
async def test_a_call_and_its_result_go_back(name: str, api: str, house: House) -> None:
    door = house.door(name)
    [called] = (await door.plain(api, CALL)).calls
    following = replace(CALL, called=called)
    said = await house.itself(following)
    assert said.usage[0] > (await house.itself(CALL)).usage[0]
    assert await door.plain(api, following) == await door.streamed(api, following) == said


@over_every_api
async def test_a_client_that_leaves_frees_the_only_slot(name: str, api: str, house: House) -> None:
    """Nothing is held back either: the first words are there while the last ones are minutes away."""
    door = house.door(name)
    async with aclosing(door.stream(api, Asked(limit=30_000), Heard())) as pieces:
        assert [await anext(pieces) for _ in range(3)]
        assert await is_busy(house.url)
    await until_idle(house.url)
    assert (await house.gateway.last_call())["outcome"] == "client_gone"
    assert (await door.plain(api, WORDS)).text


@over_every_api
async def test_instructions_and_turns_before_are_read_in_full(name: str, api: str, house: House) -> None:
    later = replace(WORDS, later=True)
    said = await house.itself(later)
    assert said.usage[0] > 2 * (await house.itself(WORDS)).usage[0]
    assert await house.door(name).plain(api, later) == over(api, name, said)


@pytest.mark.parametrize("api", ["openai", "anthropic", "all"])
@pytest.mark.parametrize("name", ["chat", "messages"])
async def test_a_stop_sequence_stops(name: str, api: str, house: House) -> None:
    word = (await house.itself(WORDS)).pieces[2]
    stopped = replace(WORDS, stop=word)
    said, door = await house.itself(stopped), house.door(name)
    assert (said.finish, word in said.text) == ("stop", False)
    assert await door.plain(api, stopped) == await door.streamed(api, stopped) == said


@pytest.mark.parametrize("name", ["chat", "messages"])
async def test_a_stop_sequence_that_an_api_has_not_is_refused(name: str, house: House) -> None:
    with pytest.raises((openai.BadRequestError, anthropic.BadRequestError)) as told:
        await house.door(name).plain("responses", replace(WORDS, stop="the"))
    assert "cannot be expressed" in str(told.value.body)


@pytest.mark.parametrize("name", DOORS)
async def test_a_schema_is_kept_to_where_the_server_knows_it(name: str, house: House) -> None:
    """Which it does as chat completions: as responses and messages it takes one and says what it likes."""
    asked = Asked(limit=1000, schema=True)
    said, door = await house.itself(asked), house.door(name)
    assert said.text in ('{"city":"Paris"}', '{"city":"Rome"}')
    assert await door.plain("openai", asked) == await door.streamed("openai", asked) == said


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@over_every_api
async def test_a_prompt_that_is_too_long_is_a_bad_request_in_the_callers_words(
    name: str, api: str, stream: bool, house: House
) -> None:
    door = house.door(name)
    with pytest.raises((openai.BadRequestError, anthropic.BadRequestError)) as told:
        await (door.streamed if stream else door.plain)(api, Asked(words=15_000))
    if isinstance(told.value, openai.BadRequestError):
        assert told.value.code == "context_length_exceeded"
    else:
        assert told.value.body["error"]["type"] == "invalid_request_error"
    assert "context size" in str(told.value.body)


_OWN = re.compile(
    rb'(chatcmpl|resp|msg|call|fc)[-_]\w+|"(created|created_at|completed_at)":\d+|"id":"\w{32}"|,"timings":\{[^}]*\}'
)


@pytest.mark.parametrize("asked", [pytest.param(WORDS, id="words"), pytest.param(CALL, id="a call")])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("name", DOORS)
async def test_a_door_that_the_server_has_too_passes_its_bytes(
    name: str, stream: bool, asked: Asked, house: House
) -> None:
    """All but the ids and times of the one answer and the other."""
    door = house.door(name)
    body = {**door.body("all", asked), "stream": stream}
    body |= body.pop("extra_body", {})
    await house.itself(asked)  # so that neither is the first to bring the prompt into the cache
    told = []
    async with ClientSession(headers=HEADERS) as session:
        for base, model in ((house.url, MODEL), (house.gateway.url, "all")):
            async with session.post(f"{base}/{door.endpoint}", json={**body, "model": model}) as answer:
                assert answer.status == 200
                told.append(_OWN.sub(b"", await answer.read()))
    assert told[0] == told[1]


@pytest.mark.parametrize("api", ["anthropic", "all"])
async def test_tokens_are_counted_by_the_server_that_can(api: str, house: House) -> None:
    door = house.door("messages")
    assert isinstance(door, Messages)
    assert await door.count(api) == (await house.itself(WORDS)).usage[0]
    assert await door.count("openai") > 0


@pytest.mark.parametrize("asked", [pytest.param(WORDS, id="words"), pytest.param(CALL, id="a call")])
@pytest.mark.parametrize("api", ["openai", "anthropic"])
async def test_the_sdks_own_response_stream_reads_what_is_translated(api: str, asked: Asked, house: House) -> None:
    door = house.door("responses")
    assert isinstance(door, Responses)
    assert await door.accumulated(api, asked) == await house.itself(asked)
