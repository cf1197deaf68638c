import copy
from typing import Any

import pydantic
from openai.types.responses import response_create_params

from gateway.wire.openai_responses import OpenAIResponses
from tests.wire.openai_responses.cases import TARGET, Json

_PARAMS: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(response_create_params.ResponseCreateParams)


def sent(asked: Json) -> Json:
    """What is sent, after the official SDK has found its own request in it."""
    before = copy.deepcopy(asked)
    body = OpenAIResponses().request(asked, TARGET).body
    assert asked == before
    read = _PARAMS.validate_python(body)
    assert read.keys() == body.keys()
    return body
