"""Endpoints whose answers are nobody's to read: speech, transcriptions, images, moderations. Accounted by request."""

import msgspec

from gateway.core.call import Ask
from gateway.core.outcome import Usage
from gateway.core.route import Target
from gateway.wire.openai import OpenAI
from gateway.wire.pair import Answered, Outgoing

NO_TOKENS = Usage(0, 0)


class Opaque(OpenAI):
    """Passed on as it is, but for the name of the model in the request."""

    opaque = True

    def request(self, ask: Ask, target: Target) -> Outgoing:
        if ask.form is not None:
            body = ask.form.before + target.remote.encode() + ask.form.after
            return Outgoing(body, content_type=ask.form.content_type.encode())
        return Outgoing(msgspec.json.encode({**target.model.defaults, **ask.fields, "model": target.remote}))

    def read_answer(self, body: bytes, outgoing: Outgoing) -> Answered:
        return Answered(NO_TOKENS, body)
