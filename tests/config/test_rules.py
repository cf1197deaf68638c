import hashlib

import pytest

from tests.config.files import KEY, faults_of, written

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
def test_fields_that_contradict_one_another_are_faults(text: str, faults: list[str]) -> None:
    assert faults_of(text) == faults


def test_authorization_may_be_a_header_where_there_is_no_api_key() -> None:
    assert faults_of(headers("{Authorization: Basic eA}")) == []
