"""An OpenAI (chat) caller, an upstream that speaks OpenAI's Responses API.

`fields` is the table; `request` reads it, with `messages` and `tools` for the two fields that are large; `output` says
what the items of an answer amount to, `stream` and `answer` make chunks and a completion of it.
"""

from gateway.core.route import Target
from gateway.wire.events import Json
from gateway.wire.openai_responses.answer import read_answer
from gateway.wire.openai_responses.fields import FIELDS
from gateway.wire.openai_responses.request import write_request
from gateway.wire.openai_responses.stream import ResponseReader
from gateway.wire.translation import Fields, Sent

__all__ = ["FIELDS", "OpenAIResponses"]


class OpenAIResponses:
    """Fits UpstreamTranslation."""

    fields: Fields = FIELDS

    def request(self, chat: Json, target: Target) -> Sent:
        return write_request(chat)

    def answer(self, body: Json) -> Json:
        return read_answer(body)

    def reader(self) -> ResponseReader:
        return ResponseReader()
