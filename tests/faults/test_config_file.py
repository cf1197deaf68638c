"""The configuration file as an enemy would write it, or the file system serve it."""

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.config.addresses import base_url
from gateway.config.document import MAX_BYTES
from gateway.config.load import Content, parse
from gateway.core.settings import Config
from tests.catalogue import fault
from tests.config.files import faults_of, key_of, many_keys, many_models, written
from tests.config.test_scale import calls_of
from tests.conftest import KEY, Gateway, StartGateway
from tests.e2e.answers import answer_to, get
from tests.e2e.conftest import closed_sockets
from tests.e2e.raw import chat, post
from tests.processes.conftest import redis
from tests.redis_server import RedisServer
from tests.test_reload import OTHER, VALID, Reloads, reloads

__all__ = ["closed_sockets", "redis", "reloads"]

NOBODY = 65_534


@fault("K03")
@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "~", "---\n...\n", "5"])
async def test_k03_a_file_without_a_configuration_is_refused_and_the_old_one_stays(reloads: Reloads, text: str) -> None:
    with reloads.running():
        reloads.write(text)
        await reloads.hang_up()
    assert (reloads.taken, reloads.refused) == ([], 1)
    assert reloads.faults()


@contextlib.contextmanager
def unreadable(path: Path) -> Iterator[None]:
    """For root too, who would read it all the same: until the end this process is nobody's."""
    before, root = stat.S_IMODE(path.stat().st_mode), os.geteuid() == 0
    path.chmod(0)
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        path.chmod(before)


@fault("K04")
async def test_k04_a_file_that_may_not_be_read_changes_nothing_until_it_may(reloads: Reloads) -> None:
    with reloads.running():
        with unreadable(reloads.file.path):
            await reloads.hang_up()
        assert (reloads.taken, reloads.refused) == ([], 1)
        assert reloads.faults() == [": cannot be read: Permission denied"]
        reloads.write(OTHER)
        await reloads.hang_up()
    assert len(reloads.taken) == 1


@fault("K04")
async def test_k04_a_file_that_is_not_utf_8_is_refused(reloads: Reloads) -> None:
    with reloads.running():
        reloads.write(VALID.encode().replace(b"tester", b"t\xe9ster"))
        await reloads.hang_up()
    assert (reloads.taken, reloads.refused) == ([], 1)
    (told,) = reloads.faults()
    assert told.endswith("is not valid UTF-8")


def laughs() -> str:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    return "\n".join(lines)


@fault("K08")
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param(laughs(), "aliases repeat more than 10000 values", id="billion laughs"),
        pytest.param("[" * 1000 + "]" * 1000, "is nested more than 32 levels deep", id="depth 1000"),
        pytest.param("#" * (MAX_BYTES + 1), f"is larger than {MAX_BYTES} bytes", id="more than the cap"),
    ],
)
def test_k08_what_would_grow_is_refused_before_it_does(text: str, fault: str) -> None:
    """In far less than a second: a hundred milliseconds are what the catalogue gives."""
    began = time.process_time()
    (told,) = faults_of(text)
    assert time.process_time() - began < 1
    assert told.endswith(fault)


@fault("K08")
def test_k08_of_a_file_that_is_too_large_no_more_than_the_cap_is_read(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    with file.open("wb") as sparse:
        sparse.truncate(1 << 40)
    assert len(Content.of(file).text) <= MAX_BYTES + 1


# The row's list; what is documented otherwise is in `TAKEN`.
VALUES = ("on", "1e3", ".nan", ".inf", "-1", "0", '"60"', "1.5", "true", "~", "", "1" + 30 * "0", "[60]", "{}")
NUMBERS = {
    "limits: {l: {%s}}": (
        "requests_per_minute",
        "tokens_per_minute",
        "concurrent_streams",
        "request_burst",
        "token_burst",
    ),
    "store: {url: 'redis://h', %s}": ("replicas",),
    "model_defaults: {%s}": ("max_retries",),
}
TAKEN = {("max_retries", "0")}


@fault("K11")
@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        pytest.param(section, field, value, id=f"{field} {value or 'nothing'}")
        for section, fields in NUMBERS.items()
        for field in fields
        for value in VALUES
    ],
)
def test_k11_a_number_is_a_plain_whole_number_or_the_file_is_refused(section: str, field: str, value: str) -> None:
    text = written(more=section % f"{field}: {value}")
    assert bool(faults_of(text)) is ((field, value) not in TAKEN)


def config_of(models: int, keys: int, upstream: str) -> Config:
    text = written(f'{{u: {{base_url: "{upstream}"}}}}', many_models(models), many_keys(keys))
    return parse(text.encode(), "f", {})


@fault("K12")
async def test_k12_the_swap_takes_as_long_with_many_keys_as_with_few(start_gateway: StartGateway) -> None:
    """Some ten thousand keys more make it no step longer, and then they are in force."""
    url = "http://127.0.0.1:9"
    gateway = await start_gateway(written(f'{{u: {{base_url: "{url}"}}}}'))
    configs = [config_of(9, keys, url) for keys in (9, 9, 9999)]
    _, few, many = (calls_of(lambda config=config: gateway.app.take(config)) for config in configs)  # type: ignore[misc]
    assert many <= few
    answer = await get(gateway, "/v1/key", key=key_of(9998))
    assert (answer.status, answer.json["name"]) == (200, "k9998")


@fault("K14")
async def test_k14_replicas_with_different_files_each_hold_to_their_own_and_say_which_it_is(
    start_gateway: StartGateway, two_upstreams: str, redis: RedisServer
) -> None:
    """As during a rollout: their bucket is one, so half of the smaller limit used is half of the larger one used."""
    await redis.ask("FLUSHALL")

    async def replica(requests: int) -> Gateway:
        text = two_upstreams.replace(f"key: {KEY}", f"key: {KEY}, limits: l")
        more = f"limits: {{l: {{requests_per_minute: {requests}}}}}\nstore: {{url: '{redis.url}'}}\n"
        return await start_gateway(f"{text}\n{more}")

    async def ask(gateway: Gateway) -> tuple[int, str | None]:
        request = post(chat("first/small", stream=False), headers="Connection: close\r\n")
        answer = await answer_to(gateway, request)
        return answer.status, answer.header("x-gateway-config-version")

    small, large = await replica(2), await replica(8)
    versions = [gateway.app.config.version for gateway in (small, large)]
    assert versions[0] != versions[1]
    assert await ask(small) == (200, versions[0])
    assert [await ask(large) for _ in range(5)] == [(200, versions[1])] * 4 + [(429, versions[1])]
    assert (await ask(small))[0] == 429
    for gateway, version in zip((small, large), versions, strict=True):
        metrics = (await get(gateway, "/metrics")).body.decode()
        assert f'gateway_config_version_info{{version="{version}"}} 1.0' in metrics


@fault("K16")
@pytest.mark.parametrize(
    "url",
    [
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("unix:///run/docker.sock", id="unix"),
        pytest.param("gopher://x/", id="gopher"),
        pytest.param("http://169.254.169.254/latest", id="metadata"),
        pytest.param("http://[fe80::1]/", id="link-local"),
        pytest.param("http://[::ffff:169.254.169.254]/", id="metadata in IPv6"),
        pytest.param("http://2852039166/", id="metadata as a number"),
        pytest.param("http://0xa9fea9fe/", id="metadata in hex"),
        pytest.param("http://user:word@h/v1", id="userinfo"),
        pytest.param("http://h/v1\r\nX: y", id="CRLF"),
        pytest.param("http://h\r\nX: y/", id="CRLF in the host"),
        pytest.param("http://h/{tenant}/v1", id="template in the path"),
        pytest.param("http://{tenant}/v1", id="template in the host"),
    ],
)
def test_k16_no_upstream_is_anything_but_a_plain_url(url: str) -> None:
    with pytest.raises(ValueError, match=r"^(must|has) "):
        base_url(url)
    upstreams: Any = f'{{u: {{base_url: "{url}"}}}}'.replace("\r\n", "\\r\\n")
    assert any("upstreams.u.base_url: " in told for told in faults_of(written(upstreams)))
