from typing import Any

import pytest

from tests.wire.openai_responses.cases import PIXEL, USER, Json, chat
from tests.wire.openai_responses.sending import sent

_BREAK = {"mode": "explicit"}


def _input(role: str, *parts: Json) -> Json:
    return {"type": "message", "role": role, "content": list(parts)}


def _assistant(index: int, *parts: Json) -> Json:
    return {**_input("assistant", *parts), "id": f"msg_{index}", "status": "completed"}


def _output(words: str) -> Json:
    return {"type": "output_text", "text": words, "annotations": []}


def _words(words: str) -> Json:
    return {"type": "input_text", "text": words}


def _image(url: str, detail: str = "auto") -> Json:
    return {"type": "input_image", "image_url": url, "detail": detail}


def _calls(*calls: Json, **members: Any) -> Json:
    return {"role": "assistant", "content": None, "tool_calls": list(calls), **members}


def _call(call_id: str, arguments: str) -> Json:
    return {"id": call_id, "type": "function", "function": {"name": "weather", "arguments": arguments}}


def _function_call(call_id: str, arguments: str) -> Json:
    return {"type": "function_call", "arguments": arguments, "call_id": call_id, "name": "weather"}


@pytest.mark.parametrize(
    ("messages", "items"),
    [
        pytest.param([USER], [{"type": "message", "role": "user", "content": "Hello"}], id="a text"),
        pytest.param(
            [{"role": "system", "content": "Be brief."}, {"role": "developer", "content": "In French."}, USER],
            [
                {"type": "message", "role": "system", "content": "Be brief."},
                {"type": "message", "role": "developer", "content": "In French."},
                {"type": "message", "role": "user", "content": "Hello"},
            ],
            id="system and developer messages stay where they stand",
        ),
        pytest.param(
            [USER, {"role": "assistant", "content": "Hi."}, USER],
            [
                {"type": "message", "role": "user", "content": "Hello"},
                _assistant(1, _output("Hi.")),
                {"type": "message", "role": "user", "content": "Hello"},
            ],
            id="turns",
        ),
        pytest.param(
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "See", "prompt_cache_breakpoint": _BREAK},
                        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
                        {"type": "image_url", "image_url": {"url": "https://e.org/a.png"}},
                        {"type": "image_url", "image_url": "https://e.org/b.png"},
                        {
                            "type": "file",
                            "file": {"file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"},
                        },
                        {"type": "file", "file": {"file_data": "https://e.org/a.pdf"}},
                        {"type": "file", "file": {"file_id": "file-1"}},
                    ],
                }
            ],
            [
                _input(
                    "user",
                    {**_words("See"), "prompt_cache_breakpoint": _BREAK},
                    _image(PIXEL, "low"),
                    _image("https://e.org/a.png"),
                    _image("https://e.org/b.png"),
                    {"type": "input_file", "file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"},
                    {"type": "input_file", "file_url": "https://e.org/a.pdf"},
                    {"type": "input_file", "file_id": "file-1"},
                )
            ],
            id="parts",
        ),
        pytest.param(
            [
                _calls(_call("call_1", '{"city":"Rome"}'), _call("call_2", "{}")),
                {"role": "tool", "tool_call_id": "call_1", "content": "sun"},
                {
                    "role": "tool",
                    "tool_call_id": "call_2",
                    "content": [{"type": "text", "text": "rain"}, {"type": "image_url", "image_url": {"url": PIXEL}}],
                },
            ],
            [
                _function_call("call_1", '{"city":"Rome"}'),
                _function_call("call_2", "{}"),
                {"type": "function_call_output", "call_id": "call_1", "output": "sun"},
                {"type": "function_call_output", "call_id": "call_2", "output": [_words("rain"), _image(PIXEL)]},
            ],
            id="parallel calls and their results, text and image",
        ),
        pytest.param(
            [
                _calls({"id": "call_1", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}),
                {"role": "tool", "tool_call_id": "call_1", "content": "1"},
            ],
            [
                {"type": "custom_tool_call", "input": "SELECT 1", "call_id": "call_1", "name": "sql"},
                {"type": "custom_tool_call_output", "call_id": "call_1", "output": "1"},
            ],
            id="a custom tool",
        ),
        pytest.param(
            [{"role": "assistant", "content": [{"type": "text", "text": "A"}, {"type": "refusal", "refusal": "B"}]}],
            [_assistant(0, _output("A"), {"type": "refusal", "refusal": "B"})],
            id="a refusal part",
        ),
        pytest.param(
            [{"role": "assistant", "content": None, "refusal": "No."}],
            [_assistant(0, {"type": "refusal", "refusal": "No."})],
            id="a refusal",
        ),
        pytest.param([{"role": "assistant", "content": ""}, USER], [{"type": "message", **USER}], id="said nothing"),
        pytest.param(
            [
                _calls(
                    _call("call_1", "{}"),
                    content="Let me see.",
                    reasoning_content="Hm.",
                    reasoning_details=[
                        {
                            "type": "reasoning.encrypted",
                            "format": "openai-responses-v1",
                            "id": "rs_abc",
                            "data": "gAAA",
                            "summary": ["Hm."],
                        },
                        {"type": "reasoning.text", "format": "openai-responses-v1", "text": "Aha."},
                        {"type": "reasoning.text", "format": "anthropic-claude-v1", "text": "?", "signature": "s"},
                    ],
                )
            ],
            [
                {
                    "type": "reasoning",
                    "id": "rs_abc",
                    "summary": [{"type": "summary_text", "text": "Hm."}],
                    "encrypted_content": "gAAA",
                },
                {
                    "type": "reasoning",
                    "id": "rs_1",
                    "summary": [],
                    "content": [{"type": "reasoning_text", "text": "Aha."}],
                },
                _assistant(2, _output("Let me see.")),
                _function_call("call_1", "{}"),
            ],
            id="reasoning goes back before what followed from it",
        ),
    ],
)
def test_messages_become_input_items(messages: list[Json], items: list[Json]) -> None:
    body = sent(chat(*messages))
    assert body == {"model": "gpt-5", "input": items, "store": False}
