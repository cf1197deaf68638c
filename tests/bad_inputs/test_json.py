"""What is no JSON is a 400, wherever in the body it stands; of what is JSON, nothing is a 500."""

from typing import Any

import pytest

from tests.bad_inputs.bodies import (
    HI,
    NAME,
    answering_anything,
    asked_of,
    assert_untouched,
    body,
    members_of,
    refused,
    served,
)
from tests.bad_inputs.json_texts import MALFORMED, MAY_DIFFER, WELL_FORMED
from tests.bad_inputs.row import Row, on_all_ways, sized
from tests.bad_inputs.ways import Front
from tests.e2e.answers import Answer, answer_to

pytestmark = pytest.mark.asyncio(loop_scope="module")


def nested(depth: int, opening: bytes, closing: bytes) -> bytes:
    """A member that makes its body so deep: the body itself is the first layer."""
    return b'"x":' + opening * (depth - 1) + b"0" + closing * (depth - 1)


DEEP = [
    refused(f"b95-{depth}-{name}", body(nested(depth, *brackets)), "json_too_deep")
    for depth in (65, 100, 500, 1024, 100_000)
    for name, brackets in (("lists", (b"[", b"]")), ("objects", (b'{"a":', b"}")))
]
NO_JSON = [
    refused("b90-truncated", b'{"a":', "invalid_json"),
    refused("b90-comma", body(b'"a":1,'), "invalid_json"),
    refused("b90-quotes", b"{'model':'first/small'}", "invalid_json"),
    refused("b90-comment", body() + b"// no", "invalid_json"),
    refused("b90-two", body() + body(), "invalid_json"),
    refused("b90-behind", body() + b" x", "invalid_json"),
    refused("b91-nan", body(b'"temperature":NaN'), "invalid_json"),
    refused("b91-infinity", body(b'"temperature":Infinity'), "invalid_json"),
    refused("b91-minus-infinity", body(b'"temperature":-Infinity'), "invalid_json"),
    refused("b92-n", body(b'"n":1e400'), "invalid_value", "n"),
    refused("b92-max-tokens", body(b'"max_tokens":1e400'), "invalid_value", "max_tokens"),
    refused("b93-n", body(b'"n":' + b"9" * 30), "invalid_value", "n"),
    refused("b93-max-tokens", body(b'"max_tokens":' + b"9" * 30), "invalid_value", "max_tokens"),
    refused("b94-4000", body(b'"max_completion_tokens":' + b"9" * 4000), "invalid_value", "max_completion_tokens"),
    refused("b94-5000", body(b'"max_completion_tokens":' + b"9" * 5000), "invalid_value", "max_completion_tokens"),
    *DEEP,
    refused("b99", body(rb'"a":"\ud800"'), "invalid_json"),
    refused("b99-in-messages", body(messages=rb'"messages":[{"role":"user","content":"\udfff"}]'), "invalid_json"),
    refused("b100-byte", body(b'"a":"\xff"'), "invalid_json"),
    refused("b100-overlong", body(b'"a":"\xc0\xaf"'), "invalid_json"),
    refused("b100-surrogates", body(b'"a":"\xed\xa0\x80\xed\xb0\x80"'), "invalid_json"),
    refused("b101", b"\xef\xbb\xbf" + body(), "invalid_json"),
    refused("b102-utf16", body().decode().encode("utf-16"), "invalid_json"),
    refused("b102-utf16-unmarked", body().decode().encode("utf-16-le"), "invalid_json"),
    refused("b102-utf32", body().decode().encode("utf-32"), "invalid_json"),
    refused("b104-zero", body(b'"a":"\x00"'), "invalid_json"),
    refused("b104-newline", body(b'"a":"\n"'), "invalid_json"),
    *(
        refused(f"b105-{name}", text, "invalid_value")
        for name, text in {"list": b"[]", "null": b"null", "text": b'"x"', "number": b"1", "true": b"true"}.items()
    ),
    refused("b107-million", body(b",".join(b'"k%d":0' % i for i in range(10**6))), "invalid_value"),
    refused("b108", body(messages=b'"messages":[' + b",".join([b"{}"] * 10**6) + b"]"), "invalid_value"),
    refused("b109-01", body(b'"a":01'), "invalid_json"),
    refused("b109-point", body(b'"a":.5'), "invalid_json"),
    refused("b109-plus", body(b'"a":+1'), "invalid_json"),
]


@pytest.mark.parametrize(("row", "way"), on_all_ways(NO_JSON))
async def test_a_body_that_cannot_be_read_is_refused(row: Row, way: str, front: Front) -> None:
    await front.run(row, way)


JSON = [
    served("b92-unread", body(b'"seed":1e400')),
    served("b93-unread", body(b'"seed":' + b"9" * 30)),
    served("b94-unread", body(b'"seed":' + b"9" * 5000)),
    served("b95-64-lists", body(nested(64, b"[", b"]"))),
    served("b95-64-objects", body(nested(64, b'{"a":', b"}"))),
    served("b97", body(messages=b'"messages":[{"role":"user","role":"assistant","content":"hi"}]')),
    served("b103-content", body(messages=rb'"messages":[{"role":"user","content":"\u0000"}]')),
    served("b106", body(b'"__proto__":{"a":1},"__class__":"x","constructor":{"prototype":null}')),
    served("b107", body(b",".join(b'"k%d":0' % i for i in range(70_000)))),
    served("b109-minus-zero", body(b'"max_tokens":-0')),
    served("b109-exponent", body(b'"temperature":1E2,"seed":1.0')),
]


@pytest.mark.parametrize(("row", "way"), on_all_ways(JSON))
async def test_a_body_that_can_be_read_gets_through_in_its_own_bytes(row: Row, way: str, front: Front) -> None:
    with answering_anything(front.upstream):
        await front.run(row, way)
    assert_untouched(front, row.sent.partition(b"\r\n\r\n")[2])


TWICE = [
    served("b96", b'{"model":"nowhere","model":%b,%b}' % (NAME, HI)),
    served("b98", rb'{"model":"nowhere",%b,"mod\u0065l":%b}' % (HI, NAME)),
]


@pytest.mark.parametrize(("row", "way"), on_all_ways(TWICE))
async def test_of_a_field_that_is_there_twice_the_last_counts_and_is_sent_once(
    row: Row, way: str, front: Front
) -> None:
    await front.run(row, way)
    asked, _ = asked_of(front)
    assert asked.body.count(b"model") == asked.body.count(b'"model":"small"') == 1
    assert members_of(asked.body).keys() == {"model", "messages"}


# As JSONTestSuite does it, with texts of our own: each as the whole body, and within a good one.


def within(text: bytes) -> bytes:
    return body(b'"x":' + text)


def each_of(texts: dict[str, bytes]) -> Any:
    return [pytest.param(text, id=name) for name, text in texts.items()]


async def answer_of(front: Front, text: bytes) -> Answer:
    return await answer_to(front.gateway, sized(text, "Connection: close\r\n"))


@pytest.mark.parametrize("text", each_of(MALFORMED))
async def test_what_is_malformed_is_a_400(text: bytes, front: Front) -> None:
    await front.run(refused("within", within(text), "invalid_json"), "direct")
    assert (await answer_of(front, text)).error in ((400, "invalid_json"), (400, "invalid_value"))


@pytest.mark.parametrize("text", each_of(WELL_FORMED))
async def test_what_is_well_formed_is_served_untouched(text: bytes, front: Front) -> None:
    await front.run(served("within", within(text)), "direct")
    assert_untouched(front, within(text))
    assert (await answer_of(front, text)).status == 400


@pytest.mark.parametrize("text", each_of(MAY_DIFFER))
async def test_what_parsers_may_differ_about_is_served_or_refused(text: bytes, front: Front) -> None:
    assert (await answer_of(front, within(text))).status in (200, 400)
    assert (await answer_of(front, text)).status == 400
