from collections.abc import Sequence
from typing import Any

import pytest

from gateway.wire.anthropic_openai import AnthropicOpenAI
from gateway.wire.events import Json
from tests.wire.anthropic_openai.chunks import call, chunk, usage_chunk, written
from tests.wire.anthropic_openai.sdk import accumulated

SIGNED = {"type": "reasoning.text", "signature": "c2ln", "format": "anthropic-claude-v1"}
OPAQUE = {"type": "reasoning.encrypted", "data": "ZW5j", "format": "anthropic-claude-v1"}


def text(said: str) -> Json:
    return {"type": "text", "text": said}


def thinking(thought: str, signature: str = "") -> Json:
    return {"type": "thinking", "thinking": thought, "signature": signature}


def tool(id: str, name: str, **given: Any) -> Json:  # noqa: A002
    return {"type": "tool_use", "id": id, "name": name, "input": given}


@pytest.mark.parametrize(
    ("deltas", "content"),
    [
        pytest.param(
            [{"role": "assistant", "content": ""}, {"content": "Hel"}, {"content": "lo"}], [text("Hello")], id="text"
        ),
        pytest.param([], [], id="nothing said"),
        pytest.param([{"content": None}, {"content": "a", "annotations": [1]}], [text("a")], id="null content"),
        pytest.param(
            [{"content": [{"type": "text", "text": "a"}]}, {"content": "b"}], [text("ab")], id="content as parts"
        ),
        pytest.param([{"refusal": "I can"}, {"refusal": "not."}], [text("I cannot.")], id="refusal"),
        pytest.param(
            [{"reasoning_content": "Let "}, {"reasoning_content": "me."}, {"content": "a"}],
            [thinking("Let me."), text("a")],
            id="reasoning content",
        ),
        pytest.param([{"reasoning": "Hm."}, {"content": "a"}], [thinking("Hm."), text("a")], id="reasoning, Groq"),
        pytest.param(
            [{"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]}, {"content": "a"}],
            [thinking("Hm."), text("a")],
            id="thinking as a part, Mistral",
        ),
        pytest.param(
            [{"reasoning_content": "Hm."}, {"reasoning_details": [SIGNED]}, {"content": "a"}],
            [thinking("Hm.", "c2ln"), text("a")],
            id="signature after the text",
        ),
        pytest.param(
            [
                {"reasoning": "Hm.", "reasoning_details": [{**SIGNED, "signature": None, "text": "Hm."}]},
                {"reasoning_details": [SIGNED]},
            ],
            [thinking("Hm.", "c2ln")],
            id="the same text under two names",
        ),
        pytest.param(
            [{"reasoning_content": "A", "reasoning_details": [SIGNED]}, {"reasoning_content": "B"}, {"content": "a"}],
            [thinking("A", "c2ln"), thinking("B"), text("a")],
            id="a signature ends its block",
        ),
        pytest.param(
            [
                {"reasoning_content": "A"},
                {"reasoning_content": "B"},
                {
                    "reasoning_details": [
                        {"type": "reasoning.text", "text": "AB", "format": "openai-responses-v1", "id": "rs_1"}
                    ]
                },
            ],
            [thinking("AB", "openai-responses-v1:rs_1:")],
            id="the text once more, with the id of its item",
        ),
        pytest.param(
            [{"reasoning_details": [OPAQUE]}, {"content": "a"}],
            [{"type": "redacted_thinking", "data": "ZW5j"}, text("a")],
            id="redacted",
        ),
        pytest.param(
            [{"reasoning_details": [{**OPAQUE, "format": "openai-responses-v1", "id": "rs_1"}]}],
            [{"type": "redacted_thinking", "data": "openai-responses-v1:rs_1:ZW5j"}],
            id="another provider's, marked",
        ),
        pytest.param(
            [{"reasoning_content": "A"}, {"content": "a"}, {"reasoning_content": "B"}, {"content": "b"}],
            [thinking("A"), text("a"), thinking("B"), text("b")],
            id="thinking between texts",
        ),
    ],
)
def test_text_and_reasoning_become_blocks_in_the_order_they_came_in(
    deltas: Sequence[Json], content: list[Json]
) -> None:
    message = accumulated(written(*map(chunk, deltas), chunk({}, "stop"), usage_chunk()))
    assert [block.to_dict(exclude_none=True) for block in message.content] == content


@pytest.mark.parametrize(
    ("deltas", "content"),
    [
        pytest.param(
            [call(0, "", id="c1", name="f"), call(0, '{"a"'), call(0, ": 1}")], [tool("c1", "f", a=1)], id="in pieces"
        ),
        pytest.param([call(0, '{"a": 1}', id="c1", name="f")], [tool("c1", "f", a=1)], id="all at once"),
        pytest.param([call(0, "", id="c1", name="f")], [tool("c1", "f")], id="no arguments"),
        pytest.param([call(1, "{}", id="c1", name="f")], [tool("c1", "f")], id="an index that starts with one"),
        pytest.param(
            [{"content": "a"}, call(0, "{}", id="c1", name="f"), call(1, "{}", id="c2", name="g")],
            [text("a"), tool("c1", "f"), tool("c2", "g")],
            id="text, then two in parallel",
        ),
        pytest.param(
            [
                call(0, "", id="c1", name="f"),
                call(1, "", id="c2", name="g"),
                call(0, '{"a":'),
                call(1, '{"b":'),
                call(0, "1}"),
                call(1, "2}"),
            ],
            [tool("c1", "f", a=1), tool("c2", "g", b=2)],
            id="two, piece by piece in turn",
        ),
        pytest.param(
            [call(0, '{"a":1}', id="c1"), call(0, name="f")], [tool("c1", "f", a=1)], id="a name that comes late"
        ),
        pytest.param(
            [call(0, '{"a":', name="f"), call(0, "1}", id="c1")], [tool("c1", "f", a=1)], id="an id that comes late"
        ),
        pytest.param(
            [call(0, "{}", name="f"), call(1, "{}", name="f")],
            [tool("toolu_1_0", "f"), tool("toolu_1_1", "f")],
            id="no ids",
        ),
        pytest.param(
            [call(0, "{}", id="c1", name="f"), call(0, "{}", id="c2", name="g")],
            [tool("c1", "f"), tool("c2", "g")],
            id="one index for all",
        ),
        pytest.param(
            [call(None, "{}", id="c1", name="f"), call(None, "{}", id="c2", name="g")],
            [tool("c1", "f"), tool("c2", "g")],
            id="no index",
        ),
        pytest.param(
            [call(None, '{"a":', id="c1", name="f"), call(None, "1}"), call(None, "{}", name="g")],
            [tool("c1", "f", a=1), tool("toolu_1_1", "g")],
            id="neither index nor id",
        ),
        pytest.param(
            [call(0, "", id="c1", name="f"), call(0, '{"a":1}', id="", name="")],
            [tool("c1", "f", a=1)],
            id="empty repeats",
        ),
        pytest.param(
            [call(0, '{"a":', id="c1", name="f"), call(0, "1}", id="c1", name="f")],
            [tool("c1", "f", a=1)],
            id="id and name with each piece",
        ),
        pytest.param(
            [call(0, "{}", id="functions.f:0", name="f")], [tool("functions_f_0", "f")], id="an id of other characters"
        ),
        pytest.param(
            [call(0, '{"a":', id="c1", name="f"), {"content": "a"}, call(0, "1}")],
            [tool("c1", "f", a=1), text("a")],
            id="text amid the arguments",
        ),
    ],
)
def test_tool_calls_become_blocks_one_after_another(deltas: Sequence[Json], content: list[Json]) -> None:
    message = accumulated(written(*map(chunk, deltas), chunk({}, "tool_calls"), usage_chunk()))
    assert [block.to_dict(exclude_none=True) for block in message.content] == content
    assert message.stop_reason == "tool_use"


def test_a_long_tool_name_comes_back_in_full() -> None:
    asked = {"tools": [{"name": "mcp__" + "x" * 90, "input_schema": {}}]}
    chat = (
        AnthropicOpenAI()
        .request({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "a"}], **asked})
        .body
    )
    short = chat["tools"][0]["function"]["name"]
    assert len(short) == 64
    message = accumulated(written(chunk(call(0, "{}", id="c", name=short)), chunk({}, "tool_calls"), asked=asked))
    assert message.content[0].to_dict()["name"] == asked["tools"][0]["name"]


def test_a_thought_signature_goes_before_its_call() -> None:
    piece = call(0, "{}", id="c", name="f")
    piece["tool_calls"][0]["extra_content"] = {"google": {"thought_signature": "Z29v"}}
    content = accumulated(written(chunk(piece), chunk({}, "tool_calls"))).content
    assert content[0].to_dict() == {"type": "redacted_thinking", "data": "google-thought-signature::Z29v"}
    assert content[1].type == "tool_use"
