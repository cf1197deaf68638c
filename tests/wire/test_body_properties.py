"""Bodies that nearly are JSON: refused, or what a strict reader reads; and what goes on is JSON again."""

import json
from typing import Any, NoReturn

from hypothesis import example, given, settings

from gateway.core.errors import InvalidJson, InvalidValue, JsonTooDeep, MissingParameter
from gateway.wire.body import read_ask
from gateway.wire.openai import OpenAI
from tests.fuzz.mutation import FUZZ, NASTY, mutated
from tests.values import make_call, make_target

BODIES = [
    b'{"model":"m","messages":[{"role":"user","content":"hi \\u00e9 \xc3\xa9"}],"stream":true,"n":1}',
    b'{"model":"m","messages":[1],"stream_options":{"include_usage":true},"stream":true,"max_tokens":5,"x":-0.5e3}',
    b'{"mod\\u0065l":"m","model":"n","messages":["\\ud83d\\ude00"],"provider":"p","complexity":"simple","n":null}',
]
WORDS = [
    b"\\ud800",
    b"\\u0000",
    b"NaN",
    b"-Infinity",
    b"1e400",
    b"01",
    b".5",
    b"9" * 40,
    b"null",
    b'"model":',
    b"//",
    b"'",
]


def strictly(body: bytes) -> Any:
    """Python's JSON without what is none. Raises ValueError."""

    def refuse(_: str) -> NoReturn:
        raise ValueError

    return json.loads(body.decode(), parse_constant=refuse)


@settings(FUZZ, max_examples=800)
@given(mutated(BODIES, NASTY + WORDS, most=4))
@example(BODIES[0].replace(b"hi", b"\xff"))
@example(BODIES[0].replace(b"hi", b"\xc0\xaf"))
def test_a_body_is_refused_or_what_a_strict_reader_reads(body: bytes) -> None:
    try:
        ask = read_ask(body, make_call(), ())
    except (InvalidJson, InvalidValue, JsonTooDeep, MissingParameter):
        return
    said = strictly(body)
    assert ask.model == said["model"]
    assert ask.stream == bool(said.get("stream"))
    assert ask.n == (said.get("n") or 1)
    sent = strictly(OpenAI("/chat/completions").request(ask, make_target("m")).body)
    said.pop("complexity", None)
    for name in ("model", "stream_options"):
        said.pop(name, None)
        sent.pop(name, None)
    assert sent == said
