from typing import Any

import pytest

from gateway.config.load import parse
from gateway.core.settings import Config
from tests.catalogue import fault
from tests.config.files import KEYS, faults_of, written


def loaded(text: str, **environ: str) -> Config:
    return parse(text.encode(), "f", environ)


def default(text: str, **environ: str) -> Any:
    """What that YAML value becomes."""
    config = loaded(written(models=f"{{m: {{upstream: u, defaults: {{x: {text}}}}}}}"), **environ)
    return config.routes.models["m"].defaults["x"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param('"${V}"', "v", id="variable"),
        pytest.param('"a${V}b${V}c"', "avbvc", id="inside"),
        pytest.param('"${U:-d e}"', "d e", id="default"),
        pytest.param('"${EMPTY:-d}"', "d", id="default for an empty one"),
        pytest.param('"${U:-}"', "", id="empty default"),
        pytest.param('"${V:-d}"', "v", id="default not needed"),
        pytest.param('"$$"', "$", id="dollar"),
        pytest.param('"$${V}"', "${V}", id="escaped"),
        pytest.param('"$$$$"', "$$", id="two dollars"),
        pytest.param('"$V $ 5$"', "$V $ 5$", id="dollars alone"),
        pytest.param('"${E}"', "${V} $$", id="not expanded twice"),
        pytest.param('["${V}", {y: "${V}"}]', ["v", {"y": "v"}], id="nested"),
        pytest.param('"${N}"', "7", id="text stays text"),
    ],
)
def test_variables_are_replaced(text: str, value: object) -> None:
    assert default(text, V="v", EMPTY="", E="${V} $$", N="7") == value


@pytest.mark.parametrize(
    "text", ["${", "${}", "${1}", "${A-B}", "${A:-${B}}", "${A", "${A:b}", "x${ A }", "${sk-gw-1}"]
)
def test_a_malformed_variable_is_a_fault(text: str) -> None:
    assert faults_of(written(models=f"{{m: {{upstream: u, name: '{text}'}}}}")) == [
        "f:2:33 models.m.name: '${' must begin ${VAR} or ${VAR:-default} (write $${ for a literal ${)"
    ]


@pytest.mark.parametrize("environ", [{}, {"T": ""}])
def test_an_unset_variable_outside_upstreams_and_keys_is_a_fault(environ: dict[str, str]) -> None:
    assert faults_of(written(models='{m: {upstream: u, timeout: "${T}"}}'), environ) == [
        "f:2:36 models.m.timeout: the environment variable T is not set"
    ]
    assert faults_of(written(more='tiers: {t: ["${T}", "${T}", m]}'), environ) == [
        "f:4:13 tiers.t[0]: the environment variable T is not set",
        "f:4:21 tiers.t[1]: the environment variable T is not set",
    ]


def test_numbers_and_booleans_can_come_from_variables() -> None:
    text = written(
        upstreams='{u: {base_url: "http://${H}:${P}", max_connections: "${N}", stream_usage: "${B}", '
        'connect_timeout: "${T:-5s}"}}',
        models='{m: {upstream: u, weight: "${W}", max_retries: "${Z}"}}',
        more='server: {max_body_bytes: "${S}", keep_alive_interval: "${Z}"}',
    )
    config = loaded(text, H="h", P="81", N="7", B="false", W="2.5", Z="0", S="1024")
    upstream, model = config.routes.upstreams["u"], config.routes.models["m"]
    assert (upstream.host, upstream.port, upstream.connect_timeout) == ("h", 81, 5.0)
    assert (upstream.max_connections, upstream.stream_usage) == (7, False)
    assert (model.weight, model.max_retries) == (2.5, 0)
    assert (config.server.max_body_bytes, config.server.keep_alive_interval) == (1024, 0)


def test_a_variable_with_the_wrong_kind_of_value_is_a_fault() -> None:
    text = written(upstreams='{u: {base_url: http://h, max_connections: "${N}"}}')
    assert faults_of(text, {"N": "many"}) == ["f:1:54 upstreams.u.max_connections: must be a whole number"]


def test_a_variable_that_is_not_utf8_is_a_fault() -> None:
    text = written(keys='[{name: k, key: "${K}"}]')
    assert faults_of(text, {"K": "k" * 30 + "\udcff"}) == [
        "f:3:23 keys[0].key: the environment variable K is not valid UTF-8"
    ]


@fault("K15")
def test_an_upstream_with_an_unset_variable_is_left_out() -> None:
    upstreams = (
        '{a: {base_url: "https://${HOST}/v1", headers: {x: "${TOKEN}"}, stream_usage: "${B}"}, '
        'b: {base_url: http://b, api_key: "${TOKEN}"}, u: {base_url: http://u}}'
    )
    config = loaded(written(upstreams=upstreams, models="{m: {upstream: a}, n: {upstream: u}}"), TOKEN="")
    a, b, u = (config.routes.upstreams[name] for name in "abu")
    assert (a.host, a.port, a.headers) == ("", 0, ())
    assert a.left_out == "the environment variables HOST, TOKEN and B are not set"
    assert (b.host, b.api_key, b.left_out) == ("b", None, "the environment variable TOKEN is not set")
    assert u.left_out is None
    assert config.routes.models["m"].upstream is a
    assert config.warnings == (
        "f:1:13 upstreams.a: is left out: the environment variables HOST, TOKEN and B are not set",
        "f:1:98 upstreams.b: is left out: the environment variable TOKEN is not set",
    )


def test_what_else_is_wrong_with_a_left_out_entry_is_still_a_fault() -> None:
    text = written(
        upstreams='{a: {base_url: "${URL}", connect_timeout: 5, api_kye: "${K}"}, u: {base_url: http://u}}',
        keys='[{name: "a b", key: "${K}", models: ["?"]}, {name: k, key: kkkkkkkkkkkkkkkkkkkk}]',
    )
    assert [fault.split(": ")[0] for fault in faults_of(text)] == [
        "f:1:54 upstreams.a.connect_timeout",
        "f:1:57 upstreams.a.api_kye",
        "f:3:15 keys[0].name",
        "f:3:44 keys[0].models[0]",
    ]


def test_a_key_with_an_unset_variable_is_left_out() -> None:
    config = loaded(written(keys=KEYS[:-1] + ', {name: "${WHO}", key: "${K}"}]'))
    assert [caller.name for caller in config.callers.values()] == ["k"]
    assert config.warnings == ("f:3:50 keys[1]: is left out: the environment variables WHO and K are not set",)
