"""An OpenAI (chat completions) caller, a Gemini upstream: generateContent and streamGenerateContent?alt=sse."""

from gateway.core.route import Target
from gateway.wire.events import Json
from gateway.wire.openai_gemini.answer import translate_answer
from gateway.wire.openai_gemini.fields import FIELDS
from gateway.wire.openai_gemini.request import translate
from gateway.wire.openai_gemini.stream import Reader
from gateway.wire.translation import Fields, Sent

__all__ = ["FIELDS", "OpenAIGemini"]


class OpenAIGemini:
    """Stateless, as every UpstreamTranslation."""

    fields: Fields = FIELDS

    def request(self, chat: Json, target: Target) -> Sent:
        return translate(chat, target)

    def answer(self, body: Json) -> Json:
        return translate_answer(body)

    def reader(self) -> Reader:
        return Reader()
