"""Many keys, many models: what a load takes grows as the file does, and what a call takes does not grow."""

import asyncio
import gc
import random
import sys
from collections.abc import Callable
from typing import Any

import pytest

from gateway.config.faults import MAX_TOLD
from gateway.config.load import parse
from gateway.core.settings import Config
from gateway.flow.authenticate import authorize, identify
from gateway.flow.plan import Planner
from gateway.state.health import Health
from gateway.state.keyring import Keyring
from tests.catalogue import fault
from tests.config.files import faults_of, key_of, many_keys, many_models, written
from tests.conftest import StartGateway
from tests.values import make_ask, make_call

LIMITED = "limits: {l: {tokens_per_minute: 100, budget: {usd: 5, period: day}}}"


def calls_of(work: Callable[[], Any]) -> int:
    """Functions called, those in C too: as telling as the time, and the same on every machine."""
    count = 0

    def note(_: object, event: str, __: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def tiers(count: int) -> str:
    return "tiers:\n" + "".join(f"  t{i}: [m{i}, [m0, m{i // 2 + 1}]]\n" for i in range(2, count))


SHAPES: dict[str, Callable[[int], str]] = {
    "keys": lambda n: written(keys=many_keys(n)),
    "keys by hash": lambda n: written(
        keys="\n" + "".join(f"  - {{name: k{i}, sha256: '{i:064x}'}}\n" for i in range(n))
    ),
    "models": lambda n: written(models=many_models(n)),
    "wildcards": lambda n: written(models="\n" + "".join(f'  "m{i:05}/*": {{upstream: u}}\n' for i in range(n))),
    "keys and models": lambda n: written(models=many_models(n), keys=many_keys(n)),
    "tiers": lambda n: written(models=many_models(n), more=tiers(n)),
    "a glob for each key": lambda n: written(models=many_models(n), keys=many_keys(n, ", models: [m#*, x#-*-y]")),
    "a wildcard for each key": lambda n: written(
        models="\n" + "".join(f'  "m{i:05}/*": {{upstream: u}}\n' for i in range(n)),
        keys=many_keys(n, ", models: ['m#/*', m0000#/x]"),
    ),
    "limits for each key": lambda n: written(
        models=many_models(n, ", max_output_tokens: 9"),
        keys=many_keys(n, ", limits: l#"),
        more="limits:\n" + "".join(f"  l{i}: {{tokens_per_minute: {i + 10}}}\n" for i in range(n)),
    ),
    "budgets and prices": lambda n: written(
        models=many_models(n, ", price: {input: 1}"), keys=many_keys(n, ", limits: l"), more=LIMITED
    ),
    "budgets without prices": lambda n: written(models=many_models(n), keys=many_keys(n, ", limits: l"), more=LIMITED),
    "keys left out": lambda n: written(
        keys="\n"
        + "".join(f"  - {{name: l{i}, key: '${{U}}', expires: '${{U}}'}}\n" for i in range(n))
        + many_keys(1)[1:]
    ),
    "unknown limits": lambda n: written(keys=many_keys(n, ", limits: l#"), more="limits: {}"),
    "unknown fields": lambda n: written(keys=many_keys(n, ", nonsense: 1")),
    "names twice": lambda n: written(keys=many_keys(n) + many_keys(n).lstrip("\n")),
    "models twice": lambda n: written(models=many_models(n) + many_models(n).lstrip("\n")),
    "unknown aliases": lambda n: written(
        models=many_models(n), more="aliases:\n" + "".join(f"  a{i}: x{i}\n" for i in range(n))
    ),
    "a chain of aliases": lambda n: written(
        more="aliases:\n  a0: m\n" + "".join(f"  a{i}: a{i - 1}\n" for i in range(1, n))
    ),
}


@pytest.mark.parametrize("shape", [pytest.param(shape, id=name) for name, shape in SHAPES.items()])
def test_twice_as_many_take_twice_the_work(shape: Callable[[int], str]) -> None:
    few, many = (calls_of(lambda n=n: faults_of(shape(n))) for n in (1500, 3000))  # type: ignore[misc]
    assert many < 2.3 * few


def test_of_many_faults_the_first_are_told_and_the_rest_is_counted() -> None:
    faults = faults_of(written(keys=many_keys(1000, ", limits: l#"), more="limits: {}"))
    lines = [int(fault.split(":")[1]) for fault in faults[:MAX_TOLD]]
    assert lines == list(range(4, 4 + MAX_TOLD))
    assert faults[MAX_TOLD:] == ["f: has 900 more faults"]


def test_of_many_warnings_the_first_are_told_and_the_rest_is_counted() -> None:
    config = parse(written(keys=many_keys(MAX_TOLD + 1, ", models: [x#]")).encode(), "f", {})
    assert len(config.warnings) == MAX_TOLD + 1
    assert config.warnings[0].startswith("f:4:")
    assert config.warnings[-1] == "f: has 1 more warning"


@pytest.mark.parametrize("text", [written(), "nonsense: 1"], ids=["valid", "faulty"])
@pytest.mark.parametrize("collecting", [True, False])
def test_a_load_leaves_the_collector_as_it_was(text: str, collecting: bool) -> None:
    before = gc.isenabled()
    (gc.enable if collecting else gc.disable)()
    try:
        faults_of(text)
        assert gc.isenabled() is collecting
    finally:
        (gc.enable if before else gc.disable)()


def config_with(models: int, keys: int) -> Config:
    text = written(models=many_models(models), keys=many_keys(keys), more="tiers: {t: [m1, m2, m3]}")
    return parse(text.encode(), "f", {})


@pytest.mark.parametrize("model", ["m1", "t"])
@pytest.mark.parametrize("size", [pytest.param((10, 10_000), id="keys"), pytest.param((10_000, 10), id="models")])
def test_a_call_takes_no_more_of_a_larger_configuration(size: tuple[int, int], model: str) -> None:
    def work(config: Config) -> int:
        keyring, planner = Keyring(config.callers), Planner(config.routes, Health(), random.Random(1))

        def call() -> None:
            caller = identify((key_of(7).encode(),), keyring)
            authorize(caller, 0.0)
            assert planner.plan(make_call(), make_ask(model), caller, 0.0).targets

        call()
        return calls_of(call)

    assert work(config_with(*size)) == work(config_with(10, 10))


async def get_key(port: int, key: str) -> bytes:
    """The whole answer to `GET /v1/key`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET /v1/key HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n".encode()
    )
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@fault("K12")
async def test_one_of_a_hundred_thousand_keys_lets_its_caller_in(start_gateway: StartGateway) -> None:
    """Also for the time that it takes: a step that is not linear would not end within the test's timeout."""
    limits = "limits: {l: {requests_per_minute: 9}}"
    text = written(models=many_models(100), keys=many_keys(100_000, ", limits: l"), more=limits)
    gateway = await start_gateway(text)
    assert len(gateway.app.config.callers) == 100_000
    for number, status in ((0, 200), (76_543, 200), (99_999, 200), (100_000, 401)):
        answer = await get_key(gateway.port, key_of(number))
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        assert (f'"name":"k{number}"'.encode() in answer) is (status == 200)
