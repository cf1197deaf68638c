"""An Anthropic (Messages API) caller, a chat upstream: Claude Code and Anthropic's SDKs, whichever model answers."""

from gateway.wire.anthropic_openai.answer import read_answer
from gateway.wire.anthropic_openai.fields import FIELDS
from gateway.wire.anthropic_openai.request import read_request
from gateway.wire.anthropic_openai.stream import MessageWriter
from gateway.wire.events import Json
from gateway.wire.translation import Fields, Sent

__all__ = ["FIELDS", "AnthropicOpenAI"]


class AnthropicOpenAI:
    """Fits CallerTranslation."""

    fields: Fields = FIELDS

    def request(self, body: Json) -> Sent:
        return read_request(body)

    def answer(self, chat: Json, asked: Json) -> Json:
        return read_answer(chat, asked)

    def writer(self, asked: Json) -> MessageWriter:
        return MessageWriter(asked)
