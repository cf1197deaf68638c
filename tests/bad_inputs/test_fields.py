"""Fields that decide something have to make sense; all others are the provider's, and change nothing here."""

import json
import re

import pytest

from gateway.simulator import Simulator
from tests.bad_inputs.bodies import HI, NAME, answering_anything, assert_untouched, body, refused, served
from tests.bad_inputs.row import CANARY, MODEL, WAYS, Expected, Row, on_all_ways, sized
from tests.bad_inputs.ways import Front
from tests.catalogue import bad_input
from tests.conftest import StartGateway
from tests.e2e.answers import answer_to, get
from tests.e2e.raw import chat, post

pytestmark = pytest.mark.asyncio(loop_scope="module")

MEGABYTE = b'"' + b"x" * 10**6 + b'"'


def values(number: str, field: str, **given: bytes) -> list[Row]:
    """Each is a 400 that names the field."""
    return [
        refused(f"{number}-{name}", body(b'"%b":%b' % (field.encode(), value)), "invalid_value", field)
        for name, value in given.items()
    ]


UNKNOWN = {
    "plain": "nowhere",
    "emoji": "\U0001f600",
    "rtl": "\u202emodel",
    "path": "../../etc/passwd",
    "newline": "gpt-4\n",
    "case": MODEL.upper(),
    "blank": f" {MODEL}",
    "homoglyph": MODEL.replace("i", "\u0456"),
    "star": "*",
    "percent": "%s%s",
    "template": "{{7*7}}",
    "jndi": "${jndi:ldap://127.0.0.1/a}",
    "query": "gpt-4?x=http://evil",
    "provider": "provider/..//model",
    "label": 'a",x="b',
    "zero": f"{MODEL}\0",
}
MODELS = [
    refused("b110-missing", b"{%b}" % HI, "missing_required_parameter", "model"),
    refused("b110-null", body(model=b"null"), "missing_required_parameter", "model"),
    *(
        refused(f"b110-{name}", body(model=value), "invalid_value", "model")
        for name, value in {"number": b"1", "list": b"[]", "object": b"{}", "empty": b'""', "blank": b'" "'}.items()
    ),
    refused("b111-megabyte", body(model=MEGABYTE), "invalid_value", "model"),
    *(
        Row(
            f"b111-{name}", sized(body(model=json.dumps(text).encode())), Expected(404, "model_not_found"), closes=False
        )
        for name, text in UNKNOWN.items()
    ),
    Row("b103-model", sized(body(model=rb'"\u0000"')), Expected(404, "model_not_found"), closes=False),
    Row("b148", sized(body(model=rb'"a\",x=\"b"')), Expected(404, "model_not_found"), closes=False),
]
PROMPTS = [
    refused("b113-missing", b'{"model":%b}' % NAME, "missing_required_parameter", "messages"),
    *(
        refused(f"b113-{name}", body(messages=b'"messages":' + value), "invalid_value", "messages")
        for name, value in {"null": b"null", "object": b"{}", "text": b'""', "empty": b"[]", "blank": b"[ ]"}.items()
    ),
]
NUMBERS = [
    *values("b117", "stream", text=b'"true"', one=b"1", zero=b"0", list=b"[]", object=b"{}"),
    *values("b118", "stream_options", text=b'"x"', list=b"[]", word=b'{"include_usage":"yes"}'),
    *values("b119", "n", zero=b"0", less=b"-1", half=b"1.5", text=b'"2"', billion=b"1000000000", true=b"true"),
    *values("b120", "max_tokens", less=b"-1", text=b'"10"', half=b"1.5", huge=b"9" * 16),
    *values("b120-newer", "max_completion_tokens", less=b"-1", text=b'"10"', half=b"1.5", list=b"[1]"),
    refused("b121-nan", body(b'"temperature":NaN'), "invalid_json"),
]


@pytest.mark.parametrize(("row", "way"), on_all_ways([*MODELS, *PROMPTS, *NUMBERS]))
async def test_a_field_that_makes_no_sense_is_refused_by_name(row: Row, way: str, front: Front) -> None:
    await front.run(row, way)


MESSAGES = {
    "null": b"null",
    "number": b"1",
    "list": b"[]",
    "no-role": b'{"content":"hi"}',
    "role-number": b'{"role":7,"content":"hi"}',
    "role-root": b'{"role":"root","content":"hi"}',
    "role-megabyte": b'{"role":%b,"content":"hi"}' % MEGABYTE,
    "content-number": b'{"role":"user","content":7}',
    "content-object": b'{"role":"user","content":{}}',
}
UNREAD = {
    "b117-null": b'"stream":null',
    "b120-zero": b'"max_tokens":0',
    "b120-trillion": b'"max_tokens":1000000000000',
    "b120-null": b'"max_tokens":null',
    "b120-both": b'"max_tokens":20,"max_completion_tokens":10',
    "b121-text": b'"temperature":"hot"',
    "b121-less": b'"temperature":-1',
    "b121-huge": b'"temperature":1e308',
    "b122-stop": b'"stop":[' + b",".join([b'"a"'] * 10**5) + b"]",
    "b122-bias": b'"logit_bias":{' + b",".join(b'"%d":1' % i for i in range(10**5)) + b"}",
    "b122-tools": b'"tools":[' + b",".join([b'{"type":"function","function":{"name":"f"}}'] * 10**4) + b"]",
    "b122-deep": b'"response_format":' + b'{"a":' * 60 + b"0" + b"}" * 60,
    "b123-long": b'"user":"%b%b"' % (CANARY.encode(), b"x" * 10**6),
    "b123-null": b'"user":null',
    "b123-object": b'"user":{}',
    "b123-metadata": b'"metadata":{' + b",".join(b'"k%d":"v"' % i for i in range(10**4)) + b"}",
    "b125-template": b'"chat_template":"{{ messages }}","chat_template_kwargs":{"enable_thinking":false}',
    "b125-guided": b'"guided_json":{"type":"object"},"guided_regex":"a+","guided_choice":["a"]',
    "b125-documents": b'"documents":[{"title":"a","text":"b"}]',
}
PASSED = [
    *(served(f"b114-{name}", body(messages=b'"messages":[%b]' % value)) for name, value in MESSAGES.items()),
    served("b115", body(messages=b'"messages":[{"role":"user","content":"%b"}]' % (b"x" * 10**7))),
    *(served(name, body(members)) for name, members in UNREAD.items()),
]


@pytest.mark.parametrize(("row", "way"), on_all_ways(PASSED))
async def test_what_is_the_providers_to_judge_reaches_it_untouched(row: Row, way: str, front: Front) -> None:
    with answering_anything(front.upstream):
        await front.run(row, way)
    assert_untouched(front, row.sent.partition(b"\r\n\r\n")[2])


OPTIONS = [served("b118-plain", body(b'"stream_options":{"include_usage":true}'))]


@pytest.mark.parametrize(("row", "way"), on_all_ways(OPTIONS))
async def test_stream_options_without_a_stream_are_taken_out(row: Row, way: str, front: Front) -> None:
    await front.run(row, way)
    assert_untouched(front, row.sent.partition(b"\r\n\r\n")[2], "stream_options")


STEERING = """
api_base base_url api_key user_config extra_headers extra_body custom_llm_provider callbacks fallbacks mock_response
"""


def steering(field: str, url: str) -> bytes:
    """What would steer a gateway that believed it."""
    given = {
        "extra_headers": {"Authorization": f"Bearer {CANARY}", "Host": url},
        "extra_body": {"model": "evil", "api_base": url},
        "user_config": {"model_list": [{"model_name": MODEL, "litellm_params": {"api_base": url}}]},
        "fallbacks": [{MODEL: ["evil"], "api_base": url}],
        "callbacks": [url],
    }
    return json.dumps({field: given.get(field, url)}).encode()


@pytest.mark.parametrize("within", [False, True], ids=["top", "nested"])
@pytest.mark.parametrize("field", STEERING.split())
@pytest.mark.parametrize("way", [pytest.param(way, marks=bad_input("B124")) for way in WAYS])
async def test_b124_no_field_steers_the_gateway(field: str, within: bool, way: str, front: Front) -> None:
    async with Simulator() as attacker:
        members = steering(field, attacker.url)
        text = body(b'"metadata":%b' % members if within else members[1:-1])
        with answering_anything(front.upstream):
            await front.run(served("b124", text), way)
        assert_untouched(front, text)
        assert not attacker.connections


@pytest.mark.parametrize("way", [pytest.param(way, marks=bad_input("B116")) for way in WAYS])
@pytest.mark.parametrize("scheme", ["http", "link-local", "file", "data"])
async def test_b116_the_gateway_fetches_nothing(scheme: str, way: str, front: Front) -> None:
    async with Simulator() as attacker:
        urls = {
            "http": attacker.url,
            "link-local": "http://169.254.169.254/latest/meta-data/",
            "file": "file:///etc/passwd",
            "data": "data:image/png;base64," + "A" * 5_000_000,
        }
        part = {"type": "image_url", "image_url": {"url": urls[scheme]}}
        text = body(messages=b'"messages":' + json.dumps([{"role": "user", "content": [part]}]).encode())
        with answering_anything(front.upstream):
            await front.run(served("b116", text), way)
        assert_untouched(front, text)
        assert not attacker.connections


@bad_input("B111")
async def test_b111_a_name_under_a_wildcard_is_a_word_and_no_path(front: Front) -> None:
    with answering_anything(front.upstream):
        await front.run(served("b111-wildcard", body(model=b'"first/...//model"')), "direct")
    assert [(asked.path, json.loads(asked.body)["model"]) for asked in front.upstream.requests[-2:]] == [
        ("/v1/chat/completions", "...//model"),
        ("/v1/chat/completions", "small"),
    ]


@bad_input("B111", "B148")
async def test_b111_no_name_becomes_a_label(front: Front) -> None:
    for name in ("nowhere", *UNKNOWN.values()):
        await answer_to(front.gateway, post(chat(name), headers="Connection: close\r\n"))
        metrics = (await get(front.gateway, "/metrics")).body.decode()
        assert name not in re.findall(r'model="((?:[^"\\]|\\.)*)"', metrics)
    assert set(re.findall(r'model="((?:[^"\\]|\\.)*)"', metrics)) <= {"", "first/*"}


@bad_input("B112")
@pytest.mark.asyncio(loop_scope="function")
async def test_b112_a_model_that_the_key_may_not_use(start_gateway: StartGateway, two_upstreams: str) -> None:
    """It is told so, and of a model that there is not, that; no provider is asked either way."""
    gateway = await start_gateway(two_upstreams.replace("name: tester,", 'name: tester, models: ["second/*"],'))
    for model, error in (("first/x", (403, "model_not_allowed")), ("nowhere", (404, "model_not_found"))):
        answer = await answer_to(gateway, post(chat(model), headers="Connection: close\r\n"))
        assert answer.error == error
        assert json.loads(answer.body)["error"]["param"] == "model"
