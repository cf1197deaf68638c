import pytest

from gateway.core.errors import Inexpressible, InvalidValue, Refusal
from gateway.wire.anthropic_openai import AnthropicOpenAI
from tests.wire.anthropic_openai.asked import PNG, assistant, request, result, said, use, user


@pytest.mark.parametrize(
    ("message", "error", "param"),
    [
        pytest.param("Hi", InvalidValue, "messages[0]", id="no object"),
        pytest.param({"role": "tool", "content": "a"}, InvalidValue, "messages[0].role", id="role"),
        pytest.param({"role": ["user"], "content": "a"}, InvalidValue, "messages[0].role", id="role of another kind"),
        pytest.param({"role": "user"}, InvalidValue, "messages[0].content", id="no content"),
        pytest.param(user(said("a"), {"type": "text"}), InvalidValue, "messages[0].content[1].text", id="no text"),
        pytest.param(user({"text": "a"}), InvalidValue, "messages[0].content[0].type", id="no type"),
        pytest.param(user({"type": "video"}), Inexpressible, "messages[0].content[0]", id="unknown block"),
        pytest.param(user({"type": "role"}), Inexpressible, "messages[0].content[0]", id="no block's name"),
        pytest.param(
            user({"type": "image", "source": {"type": "url", "url": "file:///etc/passwd"}}),
            InvalidValue,
            "messages[0].content[0].source.url",
            id="a file's URL",
        ),
        pytest.param(
            user({"type": "image", "source": {"type": "base64", "media_type": "text/html,", "data": "a"}}),
            InvalidValue,
            "messages[0].content[0].source.media_type",
            id="no image",
        ),
        pytest.param(
            user({"type": "image", "source": {"type": "file", "file_id": "f"}}),
            Inexpressible,
            "messages[0].content[0].source",
            id="a file of Anthropic's",
        ),
        pytest.param(
            user({"type": "document", "source": {"type": "base64", "media_type": "a/b", "data": "a"}}),
            InvalidValue,
            "messages[0].content[0].source.media_type",
            id="no PDF",
        ),
        pytest.param(
            user({"type": "document", "source": {"type": "content", "content": [{"type": "document"}]}}),
            InvalidValue,
            "messages[0].content[0].source.content[0].type",
            id="a document in a document",
        ),
        pytest.param(
            user({"type": "search_result", "title": "T", "source": "s", "content": [PNG]}),
            InvalidValue,
            "messages[0].content[0].content[0].type",
            id="an image found",
        ),
        pytest.param(user(result(id="")), InvalidValue, "messages[0].content[0].tool_use_id", id="a result of nothing"),
        pytest.param(
            user(result(content=[{"type": "browser_state"}])),
            Inexpressible,
            "messages[0].content[0].content[0]",
            id="browser state",
        ),
        pytest.param(assistant(use(input="a")), InvalidValue, "messages[0].content[0].input", id="input of a text"),
        pytest.param(
            assistant(use(input={"a": "\ud800"})), InvalidValue, "messages[0].content[0].input", id="half a character"
        ),
        pytest.param(
            assistant({"type": "thinking"}), InvalidValue, "messages[0].content[0].thinking", id="thinking of nothing"
        ),
    ],
)
def test_what_cannot_be_read_is_refused_where_it_is(message: object, error: type[Refusal], param: str) -> None:
    with pytest.raises(error) as raised:
        AnthropicOpenAI().request(request() | {"messages": [message]})
    assert raised.value.param == param
