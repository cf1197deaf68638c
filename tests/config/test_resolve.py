import dataclasses
import hashlib
from datetime import UTC, datetime

import pytest

from gateway.config.load import parse
from gateway.core.call import Caller, Endpoint
from gateway.core.route import Price
from gateway.core.settings import Config
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
            f"{{name: b, sha256: {'AB' * 32}, disabled: true}}]"
        )
    )
    expires = datetime(2027, 1, 31, tzinfo=UTC).timestamp()
    assert dict(config.callers) == {
        DIGEST.digest(): Caller(DIGEST.hexdigest()[:16], "a", ("m", "w*"), "pro", expires),
        bytes.fromhex("ab" * 32): Caller("ab" * 8, "b", ("*",), disabled=True),
    }


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
