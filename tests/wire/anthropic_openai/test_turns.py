import pytest

from gateway.wire.events import Json
from tests.wire.anthropic_openai.asked import (
    CACHE,
    PNG,
    PNG_PART,
    assistant,
    messages,
    request,
    result,
    said,
    sent,
    use,
    user,
)

CALL = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
ASKS = {"role": "assistant", "content": None, "tool_calls": [CALL]}
ATTACHED = "[What is not text is attached to the next user message.]"
PDF = {"type": "base64", "media_type": "application/pdf", "data": "cGRm"}


def file(name: str) -> Json:
    return {"type": "file", "file": {"filename": name, "file_data": "data:application/pdf;base64,cGRm"}}


@pytest.mark.parametrize(
    ("block", "content"),
    [
        pytest.param(said("a"), "a", id="text"),
        pytest.param(said("a", cache_control=CACHE), [said("a", cache_control=CACHE)], id="text with a cache marker"),
        pytest.param(said("a", citations=[]), "a", id="citations"),
        pytest.param(PNG, [PNG_PART], id="image in base64"),
        pytest.param(PNG | {"cache_control": CACHE}, [PNG_PART | {"cache_control": CACHE}], id="image with a marker"),
        pytest.param(
            {"type": "image", "source": {"type": "url", "url": "https://a.b/c.png"}},
            [{"type": "image_url", "image_url": {"url": "https://a.b/c.png"}}],
            id="image at a URL",
        ),
        pytest.param({"type": "document", "source": PDF}, [file("document.pdf")], id="PDF"),
        pytest.param(
            {"type": "document", "source": {"type": "url", "url": "https://a.b/c.pdf"}},
            [{"type": "file", "file": {"filename": "document.pdf", "file_data": "https://a.b/c.pdf"}}],
            id="PDF at a URL",
        ),
        pytest.param(
            {"type": "document", "source": PDF, "title": "T", "context": "C"},
            [said("C"), file("T")],
            id="PDF with a title",
        ),
        pytest.param(
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "D"}},
            "D",
            id="text document",
        ),
        pytest.param(
            {"type": "document", "source": {"type": "content", "content": [said("a"), PNG]}, "title": "T"},
            [said("T"), said("a"), PNG_PART],
            id="document of blocks",
        ),
        pytest.param(
            {"type": "document", "source": {"type": "content", "content": "a"}, "cache_control": CACHE},
            [said("a", cache_control=CACHE)],
            id="document of a text",
        ),
        pytest.param(
            {"type": "search_result", "title": "T", "source": "https://a", "content": [said("a"), said("b")]},
            "T\nhttps://a\na\nb",
            id="search result",
        ),
    ],
)
def test_a_block_of_the_user_becomes_parts(block: Json, content: object) -> None:
    assert messages(user(block)) == [{"role": "user", "content": content}]


@pytest.mark.parametrize(
    ("system", "made"),
    [
        pytest.param("Be brief.", [{"role": "system", "content": "Be brief."}], id="text"),
        pytest.param([said("Be brief.")], [{"role": "system", "content": "Be brief."}], id="block"),
        pytest.param(
            [said("a"), said("b", cache_control=CACHE)],
            [{"role": "system", "content": [said("a"), said("b", cache_control=CACHE)]}],
            id="blocks with a marker",
        ),
        pytest.param(
            [said("x-anthropic-billing-header: cc_version=2; cch=1;"), said("a")],
            [{"role": "system", "content": "a"}],
            id="Claude Code's billing header",
        ),
        pytest.param("", [], id="empty"),
        pytest.param([], [], id="no blocks"),
        pytest.param(None, [], id="null"),
    ],
)
def test_the_system_prompt_becomes_the_first_message(system: object, made: list[Json]) -> None:
    assert messages(user("Hi"), system=system) == [*made, {"role": "user", "content": "Hi"}]


def test_a_system_message_amid_the_turns_stays_where_it_is() -> None:
    system = {"role": "system", "content": [said("Now be brief.")]}
    assert messages(user("Hi"), system, user("Ho")) == [
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": "Now be brief."},
        {"role": "user", "content": "Ho"},
    ]


@pytest.mark.parametrize(
    ("turn", "made"),
    [
        pytest.param({"role": "assistant", "content": "a"}, [{"role": "assistant", "content": "a"}], id="text"),
        pytest.param(assistant(said("a")), [{"role": "assistant", "content": "a"}], id="block"),
        pytest.param(
            assistant(said("a"), said("b")), [{"role": "assistant", "content": [said("a"), said("b")]}], id="two blocks"
        ),
        pytest.param(assistant(), [], id="nothing said"),
        pytest.param(assistant(use()), [ASKS], id="tool call"),
        pytest.param(assistant(said("a"), use()), [ASKS | {"content": "a"}], id="text and tool call"),
        pytest.param(
            assistant(use(), use("t2")), [ASKS | {"tool_calls": [CALL, CALL | {"id": "t2"}]}], id="parallel tool calls"
        ),
        pytest.param(
            assistant(use(cache_control=CACHE)), [ASKS | {"cache_control": CACHE}], id="marker on a tool call"
        ),
        pytest.param(
            assistant({"type": "thinking", "thinking": "T", "signature": "c2ln"}, said("a")),
            [
                {
                    "role": "assistant",
                    "content": "a",
                    "reasoning_content": "T",
                    "reasoning_details": [
                        {"type": "reasoning.text", "text": "T", "signature": "c2ln", "format": "anthropic-claude-v1"}
                    ],
                }
            ],
            id="thinking, signed",
        ),
        pytest.param(
            assistant({"type": "thinking", "thinking": "T", "signature": ""}, said("a")),
            [{"role": "assistant", "content": "a", "reasoning_content": "T"}],
            id="thinking of a provider that signs nothing",
        ),
        pytest.param(
            assistant({"type": "redacted_thinking", "data": "ZW5j"}, said("a")),
            [
                {
                    "role": "assistant",
                    "content": "a",
                    "reasoning_details": [
                        {"type": "reasoning.encrypted", "data": "ZW5j", "format": "anthropic-claude-v1"}
                    ],
                }
            ],
            id="redacted thinking",
        ),
        pytest.param(
            assistant({"type": "redacted_thinking", "data": "openai-responses-v1:rs_1:ZW5j"}, said("a")),
            [
                {
                    "role": "assistant",
                    "content": "a",
                    "reasoning_details": [
                        {"type": "reasoning.encrypted", "data": "ZW5j", "format": "openai-responses-v1", "id": "rs_1"}
                    ],
                }
            ],
            id="another provider's reasoning",
        ),
        pytest.param(
            assistant({"type": "redacted_thinking", "data": "google-thought-signature::Z29v"}, use()),
            [ASKS | {"tool_calls": [CALL | {"extra_content": {"google": {"thought_signature": "Z29v"}}}]}],
            id="a tool call's thought signature",
        ),
        pytest.param(
            assistant(said("a"), {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
            [{"role": "assistant", "content": "a"}],
            id="what Anthropic's servers did",
        ),
        pytest.param(
            assistant({"type": "compaction", "content": "So far: a."}),
            [{"role": "assistant", "content": "So far: a."}],
            id="compaction",
        ),
    ],
)
def test_a_turn_of_the_assistant_becomes_one_message(turn: Json, made: list[Json]) -> None:
    assert messages(user("Hi"), turn, user("Ho"))[1:-1] == made


@pytest.mark.parametrize(
    ("blocks", "made"),
    [
        pytest.param([result(content="ok")], [("tool", "ok")], id="text"),
        pytest.param([result(content=[said("ok")])], [("tool", "ok")], id="block"),
        pytest.param([result(content=[said("a"), said("b")])], [("tool", [said("a"), said("b")])], id="blocks"),
        pytest.param([result()], [("tool", "")], id="no content"),
        pytest.param([result(content=[])], [("tool", "")], id="no blocks"),
        pytest.param([result(content="no", is_error=True)], [("tool", "Error: no")], id="error"),
        pytest.param([result(content="ok", is_error=False)], [("tool", "ok")], id="no error"),
        pytest.param(
            [result(content=[said("a"), said("b")], is_error=True)],
            [("tool", [said("Error:"), said("a"), said("b")])],
            id="error of blocks",
        ),
        pytest.param([said("And?"), result(content="ok")], [("tool", "ok"), ("user", "And?")], id="text before it"),
        pytest.param([result(content="ok"), said("And?")], [("tool", "ok"), ("user", "And?")], id="text after it"),
        pytest.param(
            [result(content=[said("a"), PNG]), said("And?")],
            [
                ("tool", [said("a"), said(ATTACHED)]),
                ("user", [said("Attached to the tool result t1:"), PNG_PART, said("And?")]),
            ],
            id="image",
        ),
        pytest.param(
            [result(content=[PNG])],
            [("tool", ATTACHED), ("user", [said("Attached to the tool result t1:"), PNG_PART])],
            id="only an image",
        ),
        pytest.param(
            [result(content=[{"type": "tool_reference", "tool_name": "g"}])],
            [("tool", "g")],
            id="a tool that was found",
        ),
        pytest.param(
            [result(content=[{"type": "search_result", "title": "T", "source": "s", "content": [said("a")]}])],
            [("tool", "T\ns\na")],
            id="search result",
        ),
    ],
)
def test_a_tool_result_comes_directly_after_the_call(blocks: list[Json], made: list[tuple[str, object]]) -> None:
    after = messages(user("Hi"), assistant(use()), user(*blocks))[2:]
    assert [(message["role"], message["content"]) for message in after] == made
    assert after[0]["tool_call_id"] == "t1"


def test_results_in_several_turns_of_the_user_all_come_directly_after_the_calls() -> None:
    conversation = [assistant(use(), use("t2")), user(result(), said("one")), user(result("t2"), said("two"))]
    made = messages(user("Hi"), *conversation, assistant(use("t3")), user(result("t3")), system="Be brief.")
    assert [message.get("tool_call_id", message["role"]) for message in made] == [
        *("system", "user", "assistant", "t1", "t2", "user", "user", "assistant", "t3")
    ]


def test_the_marker_of_a_result_is_on_its_message() -> None:
    assert messages(user("Hi"), assistant(use()), user(result(cache_control=CACHE)))[-1]["cache_control"] == CACHE


def test_the_marker_of_the_whole_request_is_on_the_last_message() -> None:
    assert messages(user("Hi"), user("Ho"), cache_control=CACHE)[-1] == {
        "role": "user",
        "content": "Ho",
        "cache_control": CACHE,
    }


def test_the_request_is_left_as_it_is() -> None:
    body = request(user(said("Hi", cache_control=CACHE), PNG), assistant(use()), user(result(content=[said("a"), PNG])))
    before = repr(body)
    sent(body)
    assert repr(body) == before
