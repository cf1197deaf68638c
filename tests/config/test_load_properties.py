"""Files cut off or damaged: every fault has its place, none has a secret, and nothing else is raised."""

from pathlib import Path

import pytest
from hypothesis import given, settings

from gateway.config.load import ConfigError, parse
from gateway.core.settings import Config
from tests.fuzz.mutation import FUZZ, NASTY, mutated

EXAMPLE = (Path(__file__).parents[2] / "config/routes.yaml").read_bytes()
SECRET = "sk-gw-" + "Zz9_" * 8
ENVIRON = {"GATEWAY_API_KEY": "sk-gw-" + "k" * 40}
SMALL = f"""\
server: {{listen: "127.0.0.1:0", max_body_bytes: 64KiB, body_timeout: 1.5s}}
upstreams: &anchor
  u: {{base_url: "http://127.0.0.1:9/v1", api_key: {SECRET}, headers: {{x-one: "${{UNSET:-1}}"}}}}
models:
  m: {{upstream: u, price: {{input: 0.25}}, defaults: {{top_p: 0.5, stop: ["\\u00e9", é]}}}}
  "w/*": {{upstream: u, name: "*"}}
tiers: {{fast: [m, [w/a, w/b]]}}
aliases: {{a: fast}}
limits:
  l: {{requests_per_minute: 10, budget: {{usd: 1.5, period: day}}}}
keys:
  - name: k
    key: {SECRET}
    models: [m]
    limits: l
    expires: 2099-01-31T18:00:00Z
""".encode()
WORDS = [
    b"<<: *anchor\n",
    b"!!python/object:os.system ",
    b"---\n",
    b"? ",
    b"&a [*a]",
    b"${",
    b"${X}",
    b"  ",
    b"- ",
    b"null",
    b".nan",
]


def parsed(content: bytes) -> Config | None:
    """None for a file with faults, each of which has a place in it and does not quote it."""
    try:
        return parse(content, "f", ENVIRON)
    except ConfigError as error:
        faults = error.faults
    lines = content.count(b"\n") + content.count(b"\r") + 4 * content.count(b"\xc2") + 2
    assert faults
    for fault in faults:
        assert 1 <= fault.line <= lines, fault
        assert fault.column >= 1
        assert str(fault).isprintable()
        assert "Zz9_Zz9_" not in str(fault)
    return None


def test_the_files_are_good() -> None:
    assert parsed(EXAMPLE)
    assert parsed(SMALL)


def test_a_file_cut_off_at_any_byte_is_good_or_has_faults() -> None:
    for end in range(len(SMALL)):
        parsed(SMALL[:end])


@pytest.mark.parametrize("start", range(5))
def test_the_example_cut_off_anywhere_is_good_or_has_faults(start: int) -> None:
    for end in range(start, len(EXAMPLE), 401):
        parsed(EXAMPLE[:end])


@settings(FUZZ, max_examples=400)
@given(mutated([SMALL], NASTY + WORDS, most=5))
def test_a_damaged_file_is_good_or_has_faults(content: bytes) -> None:
    parsed(content)
