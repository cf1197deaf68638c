import dataclasses
import hashlib
import os
from datetime import UTC, datetime

import pytest

from gateway.config.load import parse
from gateway.config.resolve import resolved_workers
from gateway.core.call import Caller, Endpoint
from gateway.core.limits import Budget, Limits, Period, Rate
from gateway.core.route import Price
from gateway.core.settings import Config, OnError, StoreSettings
from tests.config.files import KEY, UPSTREAMS, written

DIGEST = hashlib.sha256(KEY.encode())


def loaded(text: str, **environ: str) -> Config:
    return parse(text.encode(), "f", environ)


def test_a_model_gets_what_it_does_not_say_from_model_defaults() -> None:
    config = loaded(
        written(
            models="{m: {upstream: u}, n: {upstream: u, timeout: 9s, max_retries: 0}}",
            more="model_defaults: {timeout: 5s, idle_timeout: 6s, first_byte_timeout: 500ms, max_retries: 3}",
        )
    )
    m, n = config.routes.models["m"], config.routes.models["n"]
    assert (m.first_byte_timeout, m.idle_timeout, m.timeout, m.max_retries) == (0.5, 6.0, 5.0, 3)
    assert (n.first_byte_timeout, n.idle_timeout, n.timeout, n.max_retries) == (0.5, 6.0, 9.0, 0)


def test_a_model_keeps_all_that_it_says() -> None:
    config = loaded(
        written(
            models="{m: {upstream: u, name: M, kind: embeddings, context_window: 9, max_output_tokens: 8, weight: 2, "
            'price: {input: 1, cached_input: 0.5, output: 2}, defaults: {a: {b: [1]}}, fallbacks: ["w/x"]}, '
            '"w/*": {upstream: u, name: "x-*"}, "v/*": {upstream: u}}'
        )
    )
    model = config.routes.models["m"]
    assert (model.remote, model.kind, model.context_window, model.max_output_tokens) == ("M", Endpoint.EMBEDDINGS, 9, 8)
    assert (model.price, model.weight, model.fallbacks) == (Price(1.0, 0.5, 2.0), 2.0, ("w/x",))
    assert dict(model.defaults) == {"a": {"b": [1]}}
    remotes = [target.remote for name in ("w/q", "v/q") if (target := config.routes.target(name))]
    assert remotes == ["x-q", "v/q"]


def test_tiers_are_groups_and_aliases_are_followed_to_their_end() -> None:
    config = loaded(
        written(
            models="{m: {upstream: u}, n: {upstream: u}, o: {upstream: u}}",
            more="tiers: {fast: [m, [n, o]], other: [o]}\naliases: {a: b, b: c, c: fast, d: m, e: a}\n"
            "complexity: {complex: other}",
        )
    )
    assert dict(config.routes.tiers) == {"fast": (("m",), ("n", "o")), "other": (("o",),)}
    assert dict(config.routes.aliases) == {"a": "fast", "b": "fast", "c": "fast", "d": "m", "e": "fast"}
    assert dict(config.routes.complexity) == {"simple": "fast", "complex": "other"}


def test_callers_are_found_by_the_digest_of_their_key() -> None:
    config = loaded(
        written(
            keys=f"[{{name: a, key: {KEY}, models: [m, 'w*'], limits: pro, expires: 2027-01-31}}, "
            f"{{name: b, sha256: {'AB' * 32}, disabled: true}}]",
            more="limits: {pro: {concurrent_streams: 5}}",
        )
    )
    expires = datetime(2027, 1, 31, tzinfo=UTC).timestamp()
    assert dict(config.callers) == {
        DIGEST.digest(): Caller(DIGEST.hexdigest()[:16], "a", ("m", "w*"), Limits("pro", streams=5), expires),
        bytes.fromhex("ab" * 32): Caller("ab" * 8, "b", ("*",), disabled=True),
    }


@pytest.mark.parametrize(
    ("fields", "limits"),
    [
        pytest.param("requests_per_minute: 60", Limits("l", requests=Rate(60, 60)), id="requests"),
        pytest.param(
            "requests_per_minute: 60, request_burst: 5", Limits("l", requests=Rate(60, 5)), id="request burst"
        ),
        pytest.param("tokens_per_minute: 900", Limits("l", tokens=Rate(900, 900)), id="tokens"),
        pytest.param(
            "tokens_per_minute: 900, token_burst: 1000", Limits("l", tokens=Rate(900, 1000)), id="token burst"
        ),
        pytest.param("concurrent_streams: 7", Limits("l", streams=7), id="streams"),
        pytest.param('concurrent_streams: "${N:-7}"', Limits("l", streams=7), id="a variable"),
        pytest.param(
            "budget: {usd: 500, period: month}", Limits("l", budget=Budget(500_000_000, Period.MONTH)), id="budget"
        ),
        pytest.param(
            'budget: {usd: "${USD:-0.000001}", period: "${P:-day}"}',
            Limits("l", budget=Budget(1, Period.DAY)),
            id="smallest budget",
        ),
        pytest.param(
            "budget: {usd: 999999999.999999, period: week}",
            Limits("l", budget=Budget(999_999_999_999_999, Period.WEEK)),
            id="largest budget",
        ),
    ],
)
def test_a_caller_has_the_limits_that_its_key_names(fields: str, limits: Limits) -> None:
    config = loaded(
        written(
            models="{m: {upstream: u, max_output_tokens: 100, price: {input: 1}}}",
            keys=f"[{{name: a, key: {KEY}, limits: l}}, {{name: b, sha256: {'ab' * 32}}}]",
            more=f"limits: {{l: {{{fields}}}, other: {{concurrent_streams: 1}}}}",
        )
    )
    assert [caller.limits for caller in config.callers.values()] == [limits, None]
    assert config.warnings == ()


def test_the_store_gets_what_the_file_says() -> None:
    config = loaded(
        written(
            more="server: {workers: 3, drain_timeout: 0}\n"
            "store: {url: '${REDIS_URL}', on_error: '${E:-deny}', replicas: 2, timeout: 50ms, lease_ttl: 5s}"
        ),
        REDIS_URL="redis://u:p@h:1/2",
    )
    assert config.store == StoreSettings("redis://u:p@h:1/2", OnError.DENY, 2, 0.05, 5.0)
    assert (config.server.workers, config.server.drain_timeout) == (3, 0.0)
    assert "u:p" not in repr(config)


def test_what_is_not_said_of_the_store_is_the_default() -> None:
    config = loaded(written())
    assert config.store == StoreSettings()
    assert (config.server.workers, config.server.drain_timeout) == (1, 300.0)


def test_workers_may_be_one_per_core() -> None:
    config = loaded(written(more="server: {workers: auto}\nstore: {url: redis://h}"))
    assert config.server.workers == len(os.sched_getaffinity(0))
    assert [resolved_workers("auto", 8), resolved_workers("auto", 999), resolved_workers(3, 8)] == [8, 256, 3]


def test_a_tier_whose_upstreams_are_all_left_out_is_a_warning() -> None:
    text = written(
        upstreams=UPSTREAMS[:-1] + ', v: {base_url: "${V}"}}',
        models="{m: {upstream: u}, n: {upstream: v}}",
        more="tiers:\n  none: [n]\n  some: [n, m]",
    )
    assert loaded(text).warnings[1:] == (
        "f:5:3 tiers.none: is empty, as all its upstreams are left out: a request for it is answered with 503",
    )
    assert loaded(text, V="http://v").warnings == ()


@pytest.mark.parametrize(
    ("glob", "matches"),
    [
        ("*", True),
        ("gpt-5", True),
        ("gpt-*", True),
        ("*-5", True),
        ("*pt*", True),
        ("gpt", False),
        ("gpt-5-*", False),
        ("ollama/llama3:8b", True),
        ("ollama/*:8b", True),
        ("oll*x", True),
        ("ollama/", False),
        ("ollama/*", True),
        ("openai/*", False),
        ("tier", False),
    ],
)
def test_a_glob_that_can_match_no_model_is_a_warning(glob: str, matches: bool) -> None:
    config = loaded(
        written(
            models='{gpt-5: {upstream: u}, "ollama/*": {upstream: u}}',
            keys=f'[{{name: k, key: {KEY}, models: ["{glob}"]}}]',
            more="tiers: {tier: [gpt-5]}",
        )
    )
    hint = " (tiers and aliases do not count)" if glob == "tier" else ""
    assert config.warnings == (() if matches else (f"f:3:58 keys[0].models[0]: matches no model{hint}",))


@pytest.mark.parametrize(
    ("model", "key", "told"),
    [
        pytest.param("max_output_tokens: 1001", "", "1001", id="too long an answer"),
        pytest.param("max_output_tokens: 1000", "", None, id="it fits"),
        pytest.param("max_output_tokens: 9000, defaults: {max_tokens: 1000}", "", None, id="the default that is sent"),
        pytest.param("weight: 1", "", "4096", id="not known"),
        pytest.param("weight: 1", ", models: [other]", None, id="another model"),
        pytest.param("kind: embeddings", "", None, id="no answer"),
    ],
)
def test_a_bucket_too_small_for_a_call_that_says_nothing_is_a_warning(model: str, key: str, told: str | None) -> None:
    config = loaded(
        written(
            models=f"{{m: {{upstream: u, {model}}}, other: {{upstream: u, max_output_tokens: 10}}}}",
            keys=f"[{{name: k, key: {KEY}, limits: small{key}}}]",
            more="limits: {small: {tokens_per_minute: 1000}}",
        )
    )
    if told is None:
        assert config.warnings == ()
    else:
        (warning,) = config.warnings
        assert warning.startswith("f:3:")
        assert f"of 'm' that set no max_completion_tokens reserve {told} " in warning
        assert "keys[0].limits: never holds more than 1000 tokens" in warning


def test_the_version_is_of_the_content() -> None:
    text = written()
    assert loaded(text).version == hashlib.sha256(text.encode()).hexdigest()[:12]
    assert loaded(text + "# more\n").version != loaded(text).version


def test_nothing_of_a_config_can_be_changed() -> None:
    config = loaded(written())
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.version = "x"  # type: ignore[misc]
    for mapping in (config.callers, config.routes.models, config.routes.tiers, config.routes.models["m"].defaults):
        with pytest.raises(TypeError):
            mapping["x"] = None  # type: ignore[index]
