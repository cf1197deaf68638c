"""A chat caller, an Anthropic upstream."""

from gateway.core.route import Target
from gateway.wire.events import Json
from gateway.wire.openai_anthropic import answer, request
from gateway.wire.openai_anthropic.fields import FIELDS
from gateway.wire.openai_anthropic.stream import Reader
from gateway.wire.translation import ChunkReader, Sent

__all__ = ["FIELDS", "OpenAIAnthropic"]


class OpenAIAnthropic:
    """Fits UpstreamTranslation."""

    fields = FIELDS

    def request(self, chat: Json, target: Target) -> Sent:
        return request.translate(chat, target)

    def answer(self, body: Json) -> Json:
        return answer.translate(body)

    def reader(self) -> ChunkReader:
        return Reader()
