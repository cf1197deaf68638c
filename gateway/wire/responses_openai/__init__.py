"""A caller of OpenAI's Responses, a chat upstream: Codex and AI SDK's `openai` at any model."""

from gateway.wire.events import Json
from gateway.wire.responses_openai.answer import read_answer
from gateway.wire.responses_openai.fields import FIELDS
from gateway.wire.responses_openai.request import read_request
from gateway.wire.responses_openai.stream import Writer
from gateway.wire.translation import EventWriter, Fields, Sent

__all__ = ["FIELDS", "ResponsesOpenAI"]


class ResponsesOpenAI:
    fields: Fields = FIELDS

    def request(self, body: Json) -> Sent:
        return read_request(body)

    def answer(self, chat: Json, asked: Json) -> Json:
        return read_answer(chat, asked)

    def writer(self, asked: Json) -> EventWriter:
        return Writer(asked)
