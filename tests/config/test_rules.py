import hashlib

import pytest

from tests.catalogue import fault
from tests.config.files import KEY, faults_of, written

ALONE = "must be 1 as long as store.url is memory://, which no two processes share: use redis://"
DIGEST = hashlib.sha256(KEY.encode()).hexdigest()


def headers(names: str, fields: str = "") -> str:
    return written(upstreams=f"{{u: {{base_url: http://a, {fields}headers: {names}}}}}")


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        pytest.param(
            written(keys="[{name: k, key: short}]"),
            ["f:3:23 keys[0].key: must have at least 20 characters"],
            id="weak key",
        ),
        pytest.param(written(keys="[{name: k}]"), ["f:3:8 keys[0]: needs either key or sha256"], id="neither"),
        pytest.param(
            written(keys=f"[{{name: k, key: {KEY}, sha256: {DIGEST}}}]"),
            ["f:3:8 keys[0]: has both key and sha256: give one of them"],
            id="both",
        ),
        pytest.param(
            written(keys=f"[{{name: k, key: {KEY}}},\n  {{name: k, key: {'x' * 20}}}]"),
            ["f:4:10 keys[1].name: is the name of another key: keys[0], on line 3"],
            id="name twice",
        ),
        pytest.param(
            written(keys=f"[{{name: a, key: {KEY}}},\n  {{name: b, sha256: {DIGEST.upper()}}}]"),
            ["f:4:21 keys[1].sha256: is the same key as that of another entry: keys[0], on line 3"],
            id="key twice",
        ),
        pytest.param(
            written(keys=f"[{{name: a, key: {KEY}, disabled: true}}]"),
            ["f:3:1 keys: has no usable key: all are disabled"],
            id="all keys disabled",
        ),
        pytest.param(
            written(keys='[{name: a, key: "${A}"}, {name: b, key: "${B}"}]'),
            ["f:3:1 keys: has no usable key: the environment variables A and B are not set"],
            id="all keys left out",
        ),
        pytest.param(
            written(upstreams='{u: {base_url: "http://${HOST}/v1"}}'),
            ["f:1:1 upstreams: has no usable upstream: the environment variable HOST is not set"],
            id="all upstreams left out",
        ),
        pytest.param(
            written(more="limits:\n  l: {}"),
            ["f:5:6 limits.l: limits nothing (a key without limits says so by having none)"],
            id="limits nothing",
        ),
        pytest.param(
            written(more="limits: {l: {tokens_per_minute: 9, request_burst: 5}}"),
            ["f:4:51 limits.l.request_burst: needs requests_per_minute: it is how much of that comes at once"],
            id="burst without its rate",
        ),
        pytest.param(
            written(more="limits: {l: {token_burst: 5}}"),
            ["f:4:27 limits.l.token_burst: needs tokens_per_minute: it is how much of that comes at once"],
            id="nothing but a burst",
        ),
        pytest.param(
            written(more="server: {workers: 2}"), [f"f:4:19 server.workers: {ALONE}"], id="workers by default in memory"
        ),
        pytest.param(
            written(more='server: {workers: auto}\nstore: {url: "memory://"}'),
            [f"f:4:19 server.workers: {ALONE}"],
            id="workers of any number in memory",
        ),
        pytest.param(
            written(more='server: {workers: "${W:-4}"}'),
            [f"f:4:19 server.workers: {ALONE}"],
            id="workers by a variable",
        ),
        pytest.param(
            written(more="store: {replicas: 2}"), [f"f:4:19 store.replicas: {ALONE}"], id="replicas in memory"
        ),
        pytest.param(
            written(more='server: {workers: 4}\nstore: {url: "${REDIS_URL}"}'),
            ["f:5:14 store.url: the environment variable REDIS_URL is not set"],
            id="store's variable not set",
        ),
        pytest.param(
            written(more='store: {url: "${REDIS_URL:-}"}'),
            ["f:4:14 store.url: must be memory://, redis://host or rediss://host"],
            id="store's variable set to nothing",
        ),
        pytest.param(
            headers("{Authorization: x}", "api_key: y, "),
            ["f:1:59 upstreams.u.headers.Authorization: is what api_key sets: use one of them"],
            id="authorization twice",
        ),
        pytest.param(
            headers("{X-A: 1a, x-a: 2a}"),
            ["f:1:56 upstreams.u.headers.x-a: is set twice: header names ignore case"],
            id="header twice",
        ),
    ],
)
@fault("K15")
def test_fields_that_contradict_one_another_are_faults(text: str, faults: list[str]) -> None:
    assert faults_of(text) == faults


def test_authorization_may_be_a_header_where_there_is_no_api_key() -> None:
    assert faults_of(headers("{Authorization: Basic eA}")) == []


@pytest.mark.parametrize("workers", ["4", "auto"])
def test_workers_and_replicas_may_share_a_redis(workers: str) -> None:
    text = written(more=f"server: {{workers: {workers}}}\nstore: {{url: '${{REDIS_URL}}', replicas: 3}}")
    assert faults_of(text, {"REDIS_URL": "rediss://:pw@redis/1"}) == []
