"""What a key that is not known costs, and what it learns: nothing, however near the guess was, and however many."""

import asyncio
import sys
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from gateway.core.errors import InvalidApiKey
from gateway.flow.authenticate import identify
from gateway.state.keyring import Keyring
from tests.bad_inputs.bodies import body, with_key
from tests.bad_inputs.many import pipelined, series
from tests.bad_inputs.row import CANARY, sized
from tests.catalogue import bad_input
from tests.conftest import KEY, StartGateway
from tests.e2e.answers import answer_to, get
from tests.redis_server import RedisServer
from tests.values import make_caller

CLOSE = "Connection: close\r\n"
GUESSES = 10_000
ODD = ["' OR pg_sleep(8)--", "*", "gw:*", r"\r\nFLUSHALL", "{tag}", KEY[:-1] + "x"]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


def limited(two_upstreams: str, redis: RedisServer) -> str:
    """A configuration whose one key has limits, kept in Redis."""
    held = two_upstreams.replace(f"key: {KEY}", f"key: {KEY}, limits: small")
    return held + f'limits: {{small: {{requests_per_minute: 1000}}}}\nstore: {{url: "{redis.url}"}}\n'


async def commands(redis: RedisServer) -> dict[str, int]:
    """Calls by command, but for what asks."""
    stats = await redis.info("commandstats")
    asking = ("cmdstat_info", "cmdstat_hello", "cmdstat_client")
    return {name: found["calls"] for name, found in stats.items() if not name.startswith(asking)}


@bad_input("B144")
async def test_b144_ten_thousand_wrong_keys_cost_redis_nothing_and_the_metrics_no_series(
    start_gateway: StartGateway, two_upstreams: str, redis: RedisServer
) -> None:
    gateway = await start_gateway(limited(two_upstreams, redis))
    wrong = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-wrong\r\n\r\n"
    last = wrong.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert b"HTTP/1.1 401 " in await pipelined(gateway, [last])
    assert (await answer_to(gateway, sized(body(model=b'"fast"'), CLOSE))).status == 200
    await gateway.last_call(2)
    await settled(redis)
    before, known = await commands(redis), await series(gateway)
    assert before["cmdstat_evalsha"] >= 2
    answers = await pipelined(gateway, [*[wrong] * (GUESSES - 1), last])
    assert answers.count(b"HTTP/1.1 401 ") == GUESSES
    assert await commands(redis) == before
    assert await series(gateway) == known


async def settled(redis: RedisServer) -> None:
    """An admission and its settlement: the latter is told to nobody."""
    async with asyncio.timeout(10):
        while (await commands(redis)).get("cmdstat_evalsha", 0) < 2:
            await asyncio.sleep(0.005)


@bad_input("B133")
async def test_b133_redis_sees_a_hash_of_the_key_and_nothing_of_a_wrong_one(
    start_gateway: StartGateway, two_upstreams: str, redis: RedisServer
) -> None:
    gateway = await start_gateway(limited(two_upstreams, redis))
    reader, writer = await asyncio.open_connection("127.0.0.1", redis.port)
    try:
        writer.write(b"MONITOR\r\n")
        assert await reader.readline() == b"+OK\r\n"
        for key in ODD:
            answer = await answer_to(gateway, with_key(f"Authorization: Bearer {key}\r\n{CLOSE}"))
            assert answer.error == (401, "invalid_api_key")
        assert (await answer_to(gateway, sized(body(model=b'"fast"'), CLOSE))).status == 200
        async with asyncio.timeout(10):
            seen = b""
            while seen.lower().count(b'"evalsha"') < 2:
                seen += await reader.readline()
    finally:
        writer.close()
        await writer.wait_closed()
    assert sha256(KEY.encode()).digest()[:8].hex().encode() in seen
    for key in (KEY, *ODD):
        assert key.encode() not in seen


class Steps:
    """The calls that a piece of code makes, C functions included."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def __call__(self, frame: Any, event: str, argument: Any) -> None:
        if event in ("call", "c_call"):
            self.taken.append(argument.__name__ if event == "c_call" else frame.f_code.co_name)


def steps_of(key: bytes, keyring: Keyring) -> list[str]:
    """Those of looking a wrong key up."""
    steps = Steps()
    before = sys.getprofile()
    sys.setprofile(steps)
    try:
        identify((key,), keyring)
    except InvalidApiKey:
        pass
    finally:
        sys.setprofile(before)
    return steps.taken


@bad_input("B137")
def test_b137_a_guess_is_hashed_and_looked_up_however_near_it_is() -> None:
    """The time of a dict probe by SHA-256 says nothing of the key: a near guess has a hash like any other's."""
    good = KEY.encode()
    keyring = Keyring({sha256(good).digest(): make_caller()})
    guesses = [good[:-1] + b"x", good[: len(good) // 2] + b"x" * (len(good) - len(good) // 2), b"x" * len(good)]
    first, *others = [steps_of(guess, keyring) for guess in guesses]
    assert "openssl_sha256" in first
    assert first.count("get") == 1
    assert others == [first, first]


class Digest(bytes):
    """A key of the keyring's that counts what it is compared with."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        type(self).compared += 1
        return super().__eq__(other)

    __hash__ = bytes.__hash__


@bad_input("B137")
def test_b137_no_guess_is_compared_with_a_key() -> None:
    good = KEY.encode()
    keyring = Keyring({Digest(sha256(good).digest()): make_caller()})
    guesses = [good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in range(len(good))]
    assert not any(keyring.find(guess) for guess in guesses)
    assert Digest.compared == 0
    assert keyring.find(good)
    assert Digest.compared == 1


@bad_input("B136")
@pytest.mark.parametrize(
    ("setting", "error"),
    [
        pytest.param("disabled: true", (403, "key_disabled"), id="disabled"),
        pytest.param("expires: 2020-01-01", (401, "invalid_api_key"), id="expired"),
        pytest.param("expires: 2020-01-01, disabled: true", (401, "invalid_api_key"), id="both"),
        pytest.param("expires: 2999-01-01", None, id="not yet expired"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/v1/key"])
async def test_b136_a_key_that_ended_opens_nothing(
    start_gateway: StartGateway, two_upstreams: str, setting: str, error: tuple[int, str] | None, path: str
) -> None:
    other = f"  - {{name: other, key: sk-gw-{'o' * 43}}}\n"
    gateway = await start_gateway(two_upstreams.replace(f"key: {KEY}", f"key: {KEY}, {setting}") + other)
    good = sized(body(model=b'"fast"'), CLOSE)
    answer = await (answer_to(gateway, good) if path.endswith("completions") else get(gateway, path))
    assert answer.status == 200 if error is None else answer.error == error


@bad_input("B138")
async def test_b138_who_has_no_key_does_not_learn_which_models_there_are(
    start_gateway: StartGateway, two_upstreams: str
) -> None:
    gateway = await start_gateway(two_upstreams)
    key = f"Authorization: Bearer {CANARY}\r\n{CLOSE}"
    bodies = [body(model=b'"fast"'), body(model=b'"nowhere"'), body(model=b"7"), b"{", b""]
    answers = [await answer_to(gateway, with_key(key, text)) for text in bodies]
    assert {answer.error for answer in answers} == {(401, "invalid_api_key")}
    assert len({answer.body for answer in answers}) == 1
    for path in ("/v1/models/fast", "/v1/models/nowhere"):
        assert (await get(gateway, path, key=CANARY)).body == answers[0].body
