import pytest

from gateway.wire.responses_openai import ResponsesOpenAI
from gateway.wire.responses_openai.tools import MAX_NAME
from tests.wire.responses_openai.examples import CALL, FUNCTION, IMAGE, MODEL, OUTPUT, SCHEMA, Json

_CHAT_CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
_USER = {"role": "user", "content": "Hi"}
_CUSTOM: Json = {"type": "custom", "name": "apply_patch", "description": "Edits."}


def _messages(*items: Json, **more: object) -> list[Json]:
    messages: list[Json] = ResponsesOpenAI().request({"model": "m", "input": list(items), **more}).body["messages"]
    return messages


def _sent(**more: object) -> Json:
    return ResponsesOpenAI().request({**MODEL, **more}).body


def _thought(text: str, **more: object) -> Json:
    return {"type": "reasoning", "summary": [{"type": "summary_text", "text": text}], **more}


@pytest.mark.parametrize(
    ("items", "messages"),
    [
        pytest.param([_USER], [_USER], id="a text"),
        pytest.param(
            [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}], [_USER], id="one part is a text"
        ),
        pytest.param(
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "What?"},
                        {"type": "input_image", "image_url": IMAGE, "detail": "high"},
                        {"type": "input_image", "image_url": "https://example.com/a.png"},
                        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"},
                    ],
                }
            ],
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What?"},
                        {"type": "image_url", "image_url": {"url": IMAGE, "detail": "high"}},
                        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                        {
                            "type": "file",
                            "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"},
                        },
                    ],
                }
            ],
            id="images and files",
        ),
        pytest.param(
            [_USER, CALL, {**CALL, "call_id": "c2"}, OUTPUT, {**OUTPUT, "call_id": "c2"}],
            [
                _USER,
                {"role": "assistant", "content": None, "tool_calls": [_CHAT_CALL, {**_CHAT_CALL, "id": "c2"}]},
                {"role": "tool", "tool_call_id": "c1", "content": "42"},
                {"role": "tool", "tool_call_id": "c2", "content": "42"},
            ],
            id="parallel calls are one message",
        ),
        pytest.param(
            [_USER, _thought("Hm."), {"role": "assistant", "content": "Let me see."}, CALL, OUTPUT],
            [
                _USER,
                {
                    "role": "assistant",
                    "content": "Let me see.",
                    "reasoning_content": "Hm.",
                    "tool_calls": [_CHAT_CALL],
                },
                {"role": "tool", "tool_call_id": "c1", "content": "42"},
            ],
            id="a turn is one message",
        ),
        pytest.param(
            [
                _thought("1"),
                {"role": "assistant", "content": "a"},
                _thought("2"),
                {"role": "assistant", "content": "b"},
            ],
            [
                {"role": "assistant", "content": "a", "reasoning_content": "1"},
                {"role": "assistant", "content": "b", "reasoning_content": "2"},
            ],
            id="reasoning belongs to what follows",
        ),
        pytest.param(
            [_thought("1"), CALL, _thought("2"), {**CALL, "call_id": "c2"}],
            [
                {
                    "role": "assistant",
                    "content": None,
                    "reasoning_content": "1\n\n2",
                    "tool_calls": [_CHAT_CALL, {**_CHAT_CALL, "id": "c2"}],
                }
            ],
            id="reasoning between calls",
        ),
        pytest.param([_thought("1"), _USER], [_USER], id="reasoning that led to nothing"),
        pytest.param(
            [{"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "raw"}]}, CALL],
            [{"role": "assistant", "content": None, "reasoning_content": "raw", "tool_calls": [_CHAT_CALL]}],
            id="reasoning in the open",
        ),
        pytest.param(
            [CALL, {"role": "assistant", "content": "Called."}, OUTPUT],
            [
                {"role": "assistant", "content": "Called.", "tool_calls": [_CHAT_CALL]},
                {"role": "tool", "tool_call_id": "c1", "content": "42"},
            ],
            id="nothing stands between a call and its output",
        ),
        pytest.param(
            [{"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}],
            [{"role": "assistant", "content": None, "refusal": "No."}],
            id="a refusal",
        ),
    ],
)
def test_items_become_messages(items: list[Json], messages: list[Json]) -> None:
    assert _messages(*items) == messages


def test_the_system_messages_at_the_start_become_one() -> None:
    developer = {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Use metres."}]}
    assert _messages(developer, _USER, developer, instructions="Be brief.") == [
        {"role": "system", "content": "Be brief.\n\nUse metres."},
        _USER,
        {"role": "system", "content": "Use metres."},
    ]


def test_images_that_a_tool_returns_come_after_the_tool_messages() -> None:
    image = {"type": "input_image", "image_url": IMAGE}
    first = {**OUTPUT, "output": [{"type": "input_text", "text": "Look"}, image]}
    second = {**OUTPUT, "call_id": "c2", "output": [image]}
    messages = _messages(CALL, {**CALL, "call_id": "c2"}, first, second, _USER)
    part = {"type": "image_url", "image_url": {"url": IMAGE}}
    assert [message["role"] for message in messages] == ["assistant", "tool", "tool", "user", "user"]
    assert messages[1]["content"] == "Look"
    assert messages[3]["content"] == [part, part]


def test_a_custom_tool_is_a_function_with_one_text() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: X"}
    body = _sent(tools=[{**_CUSTOM, "format": grammar}], tool_choice={"type": "custom", "name": "apply_patch"})
    function = body["tools"][0]["function"]
    assert function["parameters"]["required"] == ["input"]
    assert function["description"] == "Edits.\n\nThe input has to follow this lark grammar:\nstart: X"
    assert body["tool_choice"] == {"type": "function", "function": {"name": "apply_patch"}}
    call = {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": 'a "b"'}
    assert _messages(call)[0]["tool_calls"][0]["function"] == {
        "name": "apply_patch",
        "arguments": '{"input":"a \\"b\\""}',
    }


def test_a_namespace_is_a_part_of_its_tools_names() -> None:
    tools = [{"type": "namespace", "name": "mcp__git", "description": "d", "tools": [FUNCTION, _CUSTOM]}]
    assert [tool["function"]["name"] for tool in _sent(tools=tools)["tools"]] == [
        "mcp__git__f",
        "mcp__git__apply_patch",
    ]
    assert _messages({**CALL, "namespace": "mcp__git"})[0]["tool_calls"][0]["function"]["name"] == "mcp__git__f"


def test_long_names_in_a_namespace_are_cut_and_stay_apart() -> None:
    functions = [{**FUNCTION, "name": "n" * 60 + end} for end in "ab"]
    tools = [{"type": "namespace", "name": "mcp", "description": "d", "tools": functions}]
    names = {tool["function"]["name"] for tool in _sent(tools=tools)["tools"]}
    assert [len(name) for name in names] == [MAX_NAME, MAX_NAME]


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        pytest.param({"tool_choice": "auto"}, {"tool_choice": "auto"}, id="auto"),
        pytest.param({"tool_choice": "none"}, {"tool_choice": "none"}, id="none"),
        pytest.param({"tool_choice": "required"}, {"tool_choice": "required"}, id="required"),
        pytest.param(
            {"tool_choice": {"type": "function", "name": "f"}},
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            id="a function",
        ),
        pytest.param({"parallel_tool_calls": True}, {"parallel_tool_calls": True}, id="parallel"),
    ],
)
def test_tool_choice(asked: Json, sent: Json) -> None:
    body = _sent(tools=[FUNCTION], **asked)
    assert {name: body.get(name) for name in sent} == sent


def test_only_allowed_tools_are_sent() -> None:
    named = [{"type": "function", "name": "g"}, {"type": "web_search"}]
    choice = {"type": "allowed_tools", "mode": "required", "tools": named}
    body = _sent(tools=[FUNCTION, {**FUNCTION, "name": "g"}, {"type": "web_search"}], tool_choice=choice)
    assert [tool["function"]["name"] for tool in body["tools"]] == ["g"]
    assert body["tool_choice"] == "required"


def test_without_a_tool_left_nothing_is_said_of_tools() -> None:
    body = _sent(tools=[{"type": "web_search"}], tool_choice="auto", parallel_tool_calls=True)
    assert body.keys() == {"model", "messages"}


def test_what_codex_sends_is_served() -> None:
    """As its sources build it (codex-rs/core)."""
    codex = {
        "model": "m",
        "instructions": "You are Codex.",
        "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Sandboxed."}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Fix it"}]},
            {"type": "reasoning", "summary": [], "content": None, "encrypted_content": None},
            {**CALL, "name": "exec_command", "arguments": '{"cmd":"ls"}'},
            OUTPUT,
        ],
        "tools": [{**FUNCTION, "name": "exec_command"}, _CUSTOM, {"type": "web_search", "external_web_access": False}],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "thread",
        "text": {"verbosity": "low"},
        "client_metadata": {"x": "y"},
    }
    body, dropped = ResponsesOpenAI().request(codex)
    assert dropped == ("client_metadata", "tools.web_search")
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "tool"]
    assert body["stream_options"] == {"include_usage": True}
    assert (body["reasoning_effort"], body["verbosity"], body["prompt_cache_key"]) == ("medium", "low", "thread")


def test_structured_output_is_a_response_format() -> None:
    form = {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}
    assert _sent(text={"format": form})["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": SCHEMA, "strict": True},
    }
    assert "response_format" not in _sent(text={"format": {"type": "text"}})


def test_a_cache_marker_stays_at_its_part() -> None:
    part = {"type": "input_text", "text": "Hi", "prompt_cache_breakpoint": {"mode": "explicit"}}
    assert _messages({"role": "user", "content": [part]})[0]["content"] == [
        {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}
    ]
