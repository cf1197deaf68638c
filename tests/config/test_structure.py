import re

import pytest

from gateway.config import schema
from tests import catalogue
from tests.config.files import faults_of, written

DURATION = "must be a duration with its unit, such as 500ms, 15s, 2m or 1h"
NAME = "must be a name: a letter or digit, then at most 63 letters, digits, '.', '_', '@' or '-'"


def upstream(fields: str) -> str:
    return written(upstreams=f'{{u: {{base_url: "http://127.0.0.1", {fields}}}}}')


def model(fields: str) -> str:
    return written(models=f"{{m: {{upstream: u, {fields}}}}}")


def key(fields: str) -> str:
    return written(keys=f"[{{name: k, {fields}}}]")


def server(fields: str) -> str:
    return written(more=f"server: {{{fields}}}")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param(
            written(more="servr: {}"), "f:4:1 servr: is an unknown field (did you mean 'server'?)", id="section"
        ),
        pytest.param(
            upstream("api_kye: x"),
            "f:1:47 upstreams.u.api_kye: is an unknown field (did you mean 'api_key'?)",
            id="field",
        ),
        pytest.param(
            model("price: {inptu: 1}"),
            "f:2:35 models.m.price.inptu: is an unknown field (did you mean 'input'?)",
            id="nested field",
        ),
        pytest.param(server("zzz: 1"), "f:4:10 server.zzz: is an unknown field", id="field like no other"),
        pytest.param(
            written(more="complexity: {hard: t}"), "f:4:14 complexity.hard: is an unknown field", id="complexity"
        ),
        pytest.param(written(models="{m: {}}"), "f:2:10 models.m.upstream: is required", id="missing field"),
        pytest.param(written(models="{}"), "f:2:9 models: must have at least one entry", id="no model"),
        pytest.param(written(keys="[]"), "f:3:7 keys: must have at least one entry", id="no key"),
        pytest.param(written(models="[]"), "f:2:9 models: must be a mapping", id="section of the wrong kind"),
        pytest.param(written(keys="{a: b}"), "f:3:7 keys: must be a list", id="keys as a mapping"),
        pytest.param(written(models="{m: 5}"), "f:2:13 models.m: must be a mapping", id="entry of the wrong kind"),
        pytest.param(
            written(more="aliases:"),
            "f:4:9 aliases: has no value (leave the line out to get the default)",
            id="section without a value",
        ),
        pytest.param(
            upstream("api_key: "),
            "f:1:56 upstreams.u.api_key: has no value (leave the line out to get the default)",
            id="field without a value",
        ),
        pytest.param(server("body_timeout: 15"), f"f:4:24 server.body_timeout: {DURATION}", id="bare duration"),
        pytest.param(
            server("body_timeout: 0s"), "f:4:24 server.body_timeout: must be greater than 0", id="duration of nothing"
        ),
        pytest.param(
            server("body_timeout: 169h"), "f:4:24 server.body_timeout: must be at most 168h", id="endless duration"
        ),
        pytest.param(
            server("max_body_bytes: 20mb"),
            "f:4:26 server.max_body_bytes: must be a size such as 20MiB, 64KiB or 1MB, or a whole number of bytes",
            id="size",
        ),
        pytest.param(
            server("max_body_bytes: 0"),
            "f:4:26 server.max_body_bytes: must be between 1 byte and 1GiB",
            id="size of nothing",
        ),
        pytest.param(
            server("listen: 8080"),
            "f:4:18 server.listen: must be host:port, such as 127.0.0.1:8080 or [::1]:8080",
            id="listen",
        ),
        pytest.param(
            server("metrics_allow: [10.0.0.1/8]"),
            "f:4:26 server.metrics_allow[0]: has bits set after its prefix (did you mean '10.0.0.0/8'?)",
            id="network with host bits",
        ),
        pytest.param(
            server("trusted_proxies: [proxy]"),
            "f:4:28 server.trusted_proxies[0]: must be a network such as 10.0.0.0/8, or an IP address",
            id="network",
        ),
        pytest.param(server("metrics_allow: 10.0.0.0/8"), "f:4:25 server.metrics_allow: must be a list", id="list"),
        pytest.param(
            server("cors_origins: [example.com]"),
            "f:4:25 server.cors_origins[0]: must be * or an origin such as https://app.example.com or http://localhost:3000",
            id="origin",
        ),
        pytest.param(
            written(upstreams='{u: {base_url: "https://x:y@a/v1"}}'),
            "f:1:27 upstreams.u.base_url: must not carry a user name or password: use api_key or headers",
            id="userinfo",
        ),
        pytest.param(
            upstream("dialect: opnai"),
            "f:1:56 upstreams.u.dialect: must be 'openai', 'azure', 'anthropic', 'gemini' or 'responses'"
            " (did you mean 'openai'?)",
            id="dialect",
        ),
        pytest.param(
            upstream('api_key: "a b"'),
            "f:1:56 upstreams.u.api_key: must be visible ASCII characters, without spaces or line ends, and not empty",
            id="credential",
        ),
        pytest.param(
            upstream("max_connections: 0"), "f:1:64 upstreams.u.max_connections: must be at least 1", id="zero"
        ),
        pytest.param(upstream("stream_usage: yes"), "f:1:61 upstreams.u.stream_usage: must be true or false", id="yes"),
        pytest.param(
            upstream("headers: {a b: c}"), "f:1:57 upstreams.u.headers.?: is not a valid header name", id="header name"
        ),
        pytest.param(
            upstream("headers: {Content-Length: 5}"),
            "f:1:57 upstreams.u.headers.Content-Length: cannot be configured: "
            "the gateway sets or refuses this header itself",
            id="reserved header",
        ),
        pytest.param(
            upstream('headers: {a: "x\\r\\ny"}'),
            "f:1:60 upstreams.u.headers.a: must be printable ASCII, without line ends",
            id="header value",
        ),
        pytest.param(
            upstream("headers: {a: 5}"),
            "f:1:60 upstreams.u.headers.a: must be a string (quote it)",
            id="unquoted number",
        ),
        pytest.param(
            written(upstreams='{u: {base_url: http://a}, "a b": {base_url: http://a}}'),
            f"f:1:38 upstreams.?: {NAME}",
            id="upstream's name",
        ),
        pytest.param(written(more="tiers: {-t: [m]}"), f"f:4:9 tiers.?: {NAME}", id="tier's name"),
        pytest.param(written(more="aliases: {a/b: m}"), f"f:4:11 aliases.a/b: {NAME}", id="alias's name"),
        pytest.param(
            written(models="{x*y: {upstream: u}}"),
            "f:2:10 models.x*y: must be a model name: a letter or digit, then letters, digits, any of '._@/:+-', "
            "and perhaps one '*' at the end; at most 128 characters",
            id="model's name",
        ),
        pytest.param(
            written(more="tiers: {auto: [m]}"),
            "f:4:9 tiers.auto: 'auto' is reserved: it picks a tier by complexity",
            id="reserved name",
        ),
        pytest.param(
            model("kind: chatt"),
            "f:2:33 models.m.kind: must be 'chat', 'embeddings', 'transcriptions', 'speech', 'images' or 'moderations'"
            " (did you mean 'chat'?)",
            id="kind",
        ),
        pytest.param(
            model("upstreams: u"),
            "f:2:27 models.m.upstreams: is an unknown field (did you mean 'upstream'?)",
            id="model field",
        ),
        pytest.param(
            model("context_window: true"),
            "f:2:43 models.m.context_window: must be a whole number",
            id="boolean for number",
        ),
        pytest.param(
            model("context_window: 1e3"), "f:2:43 models.m.context_window: must be a whole number", id="real for whole"
        ),
        pytest.param(
            model('context_window: "60"'),
            "f:2:43 models.m.context_window: must be a whole number",
            id="text for number",
        ),
        pytest.param(
            model("context_window: " + "9" * 30),
            "f:2:43 models.m.context_window: must be at most 1000000000",
            id="huge number",
        ),
        pytest.param(
            model("context_window: " + "9" * 99),
            "f:2:43 models.m.context_window: must be a whole number",
            id="endless number",
        ),
        pytest.param(
            model("max_output_tokens: -1"), "f:2:46 models.m.max_output_tokens: must be at least 1", id="negative"
        ),
        pytest.param(model("max_retries: 11"), "f:2:40 models.m.max_retries: must be at most 10", id="retries"),
        pytest.param(model("weight: 0"), "f:2:35 models.m.weight: must be greater than 0", id="weight"),
        pytest.param(model("weight: .nan"), "f:2:35 models.m.weight: must be a finite number", id="not a number"),
        pytest.param(
            model("price: {input: -0.1}"), "f:2:42 models.m.price.input: must be at least 0", id="negative price"
        ),
        pytest.param(
            model("price: {output: .inf}"), "f:2:43 models.m.price.output: must be a finite number", id="infinite price"
        ),
        pytest.param(
            model("price: {output: free}"), "f:2:43 models.m.price.output: must be a number", id="text for price"
        ),
        pytest.param(model("price: 5"), "f:2:34 models.m.price: must be a mapping", id="price as number"),
        pytest.param(
            model("defaults: {stream: true}"),
            "f:2:38 models.m.defaults.stream: cannot have a default: it is always the caller's own",
            id="default of stream",
        ),
        pytest.param(
            model("defaults: {a: [.nan]}"),
            "f:2:41 models.m.defaults.a: must be JSON: no infinite or undefined number",
            id="default that is no JSON",
        ),
        pytest.param(
            model(f"defaults: {{seed: {1 << 64}}}"),
            "f:2:44 models.m.defaults.seed: must be JSON: a whole number of at most 64 bits",
            id="default too large",
        ),
        pytest.param(model("fallbacks: m2"), "f:2:38 models.m.fallbacks: must be a list", id="fallbacks"),
        pytest.param(
            model('name: "a b"'),
            "f:2:33 models.m.name: must be 1 to 256 characters, without spaces and with at most one '*'",
            id="name at the upstream",
        ),
        pytest.param(written(more="tiers: {t: []}"), "f:4:12 tiers.t: must have at least one entry", id="empty tier"),
        pytest.param(
            written(more="tiers: {t: [m, []]}"), "f:4:16 tiers.t[1]: must have at least one entry", id="empty group"
        ),
        pytest.param(written(more="tiers: {t: m}"), "f:4:12 tiers.t: must be a list", id="tier as text"),
        pytest.param(
            written(more="tiers: {t: [5]}"),
            "f:4:13 tiers.t[0]: must be a model, or a list of models that are equals",
            id="tier of numbers",
        ),
        pytest.param(
            written(more="tiers: {t: [[m, [m]]]}"), "f:4:17 tiers.t[0][1]: must be a string", id="group in a group"
        ),
        pytest.param(written(more="aliases: {a: [m]}"), "f:4:14 aliases.a: must be a string", id="alias of a list"),
        pytest.param(written(keys="[5]"), "f:3:8 keys[0]: must be a mapping", id="key as number"),
        pytest.param(key("sha256: abc"), "f:3:26 keys[0].sha256: must be 64 hexadecimal digits", id="sha256"),
        pytest.param(
            key(f'key: {"k" * 20}, models: ["[ab]"]'),
            "f:3:54 keys[0].models[0]: must be a model name or a glob; '*' is its only wildcard",
            id="glob",
        ),
        pytest.param(
            key(f"key: {'k' * 20}, models: []"), "f:3:53 keys[0].models: must have at least one entry", id="no glob"
        ),
        pytest.param(key(f"key: {'k' * 20}, limits: a b"), f"f:3:53 keys[0].limits: {NAME}", id="limits"),
        pytest.param(
            key(f"key: {'k' * 20}, expires: tomorrow"),
            "f:3:54 keys[0].expires: must be a date or time such as 2027-01-31 or 2027-01-31T18:00:00Z",
            id="expires",
        ),
        pytest.param(
            key(f"key: {'k' * 20}, disabled: 1"),
            "f:3:55 keys[0].disabled: must be true or false",
            id="number for boolean",
        ),
    ],
)
def test_a_field_that_is_wrong_by_itself_is_the_only_fault(text: str, fault: str) -> None:
    assert faults_of(text) == [fault]


def test_a_missing_section_causes_no_dangling_references() -> None:
    assert faults_of(f"models: {{m: {{upstream: u}}}}\nkeys: [{{name: k, key: {'k' * 24}}}]") == [
        "f:1:1 upstreams: is required"
    ]


def test_a_faulty_entry_still_counts_as_declared() -> None:
    text = written(upstreams="{u: 5, v: {base_url: x}}", models="{m: {upstream: u}, n: {upstream: v, weight: x}}")
    assert faults_of(text + "tiers: {t: [m, n]}\naliases: {a: n}") == [
        "f:1:16 upstreams.u: must be a mapping",
        "f:1:33 upstreams.v.base_url: must be an http:// or https:// URL",
        "f:2:53 models.n.weight: must be a number",
    ]


def test_a_field_and_its_secret_run_together_are_not_shown() -> None:
    secret = "sk-gw-" + "Aa0_" * 10
    assert faults_of(written(keys=f"[{{name: k, key:{secret}}}]")) == [
        "f:3:8 keys[0]: needs either key or sha256",
        "f:3:18 keys[0].?: is an unknown field: a space is missing after 'key:'",
    ]


BAD_VALUES = (
    ".nan",
    "-.inf",
    "-1",
    "0",
    "1e3",
    "1e999",
    "9" * 40,
    "true",
    "",
    "~",
    '""',
    '" "',
    '"\\n"',
    "[]",
    "{}",
    "[[]]",
    "[~]",
    "{a: ~}",
    '"${"',
    '"${X}"',
    '"${X:-}"',
    '"*"',
    '"**"',
    '"file:"',
    "é",
    "x" * 300,
    "2027-13-01",
    "auto",
)
PLACES = {
    "FileSpec": "%s",
    "ServerSpec": "server: {%s}",
    "StoreSpec": "store: {%s}",
    "UpstreamSpec": "upstreams: {v: {%s}}",
    "ModelDefaultsSpec": "model_defaults: {%s}",
    "ModelSpec": "models: {n: {%s}}",
    "PriceSpec": "models: {n: {upstream: u, price: {%s}}}",
    "ComplexitySpec": "complexity: {%s}",
    "LimitsSpec": "limits: {l: {%s}}",
    "BudgetSpec": "limits: {l: {budget: {%s}}}",
    "KeySpec": "keys: [{%s}]",
}
FIELDS = [(place, field) for spec, place in PLACES.items() for field in getattr(schema, spec).model_fields]


@pytest.mark.parametrize(("place", "field"), FIELDS)
@catalogue.fault("K11")
def test_no_value_of_any_field_is_more_than_a_fault(place: str, field: str) -> None:
    for value in BAD_VALUES:
        section = place % f"{field}: {value}"
        others = [line for line in written().splitlines() if line.partition(":")[0] != section.partition(":")[0]]
        for fault in faults_of("\n".join([section, *others])):
            assert re.match(r"f:\d+:\d+ \S+: \S", fault)
