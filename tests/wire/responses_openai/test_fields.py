import contextlib
import copy
import json
from collections.abc import Iterable

import pydantic
import pytest
from openai.types.chat.completion_create_params import CompletionCreateParams
from openai.types.responses.response_create_params import ResponseCreateParamsBase

from gateway.core.errors import Inexpressible
from gateway.wire.responses_openai import FIELDS, ResponsesOpenAI
from gateway.wire.translation import How
from tests.wire.responses_openai.examples import EXAMPLES, MODEL

_CHAT = pydantic.TypeAdapter[object](CompletionCreateParams)
_NOT_OPENAIS = frozenset({"reasoning_content", "reasoning_details", "cache_control", "extra_content"})


def _rows(how: How) -> list[str]:
    return [name for name, field in FIELDS.items() if field.how is how]


def test_every_row_of_the_table_has_an_example() -> None:
    assert EXAMPLES.keys() == FIELDS.keys()


def test_every_documented_field_of_a_request_is_a_row() -> None:
    assert ResponseCreateParamsBase.__annotations__.keys() | {"stream"} == {name for name in FIELDS if "." not in name}


@pytest.mark.parametrize("name", _rows(How.KEPT))
def test_a_kept_field_drops_nothing(name: str) -> None:
    assert ResponsesOpenAI().request(EXAMPLES[name]).dropped == ()


@pytest.mark.parametrize("name", _rows(How.DROPPED))
def test_a_dropped_field_is_listed_and_leaves_no_trace(name: str) -> None:
    sent = ResponsesOpenAI().request(EXAMPLES[name])
    assert sent.dropped == (name,)
    assert f'"{name.rpartition(".")[2]}"' not in json.dumps(sent.body)


@pytest.mark.parametrize("name", _rows(How.REFUSED))
def test_a_refused_field_is_named(name: str) -> None:
    with pytest.raises(Inexpressible) as caught:
        ResponsesOpenAI().request(EXAMPLES[name])
    assert caught.value.param is not None
    assert name.startswith(caught.value.param.split("[")[0])


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if field.how is not How.REFUSED])
def test_what_is_sent_is_a_chat_request_to_the_sdk(name: str) -> None:
    body = ResponsesOpenAI().request(EXAMPLES[name]).body
    for message in body["messages"]:
        assert message.keys() - _NOT_OPENAIS <= {"role", "content", "tool_calls", "tool_call_id", "refusal"}
    _exhaust(_CHAT.validate_python(body))


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_the_request_is_left_as_it_was(name: str) -> None:
    given = copy.deepcopy(EXAMPLES[name])
    with contextlib.suppress(Inexpressible):
        ResponsesOpenAI().request(given)
    assert given == EXAMPLES[name]


@pytest.mark.parametrize(
    "field",
    [
        pytest.param({"background": False}, id="not in the background"),
        pytest.param({"store": False}, id="not stored"),
        pytest.param({"truncation": "disabled"}, id="not truncated"),
        pytest.param({"previous_response_id": None}, id="no previous response"),
        pytest.param({"conversation": None, "prompt": None}, id="null"),
    ],
)
def test_what_asks_for_nothing_is_not_refused_and_not_listed(field: dict[str, object]) -> None:
    assert ResponsesOpenAI().request({**MODEL, **field}).dropped == ()


def _exhaust(value: object) -> None:
    """Pydantic validates an Iterable while it is read."""
    if isinstance(value, dict):
        for one in value.values():
            _exhaust(one)
    elif isinstance(value, Iterable) and not isinstance(value, str):
        for one in value:
            _exhaust(one)
