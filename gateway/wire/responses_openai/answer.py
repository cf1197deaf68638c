"""A plain chat completion as a Response: what its stream would have ended with."""

from gateway.core.fault import ProtocolFault
from gateway.wire.events import Json
from gateway.wire.responses_openai.stream import Writer


def read_answer(chat: Json, asked: Json) -> Json:
    choices = chat.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise ProtocolFault
    calls = message.get("tool_calls")
    numbered = [
        {**call, "index": index}
        for index, call in enumerate(calls if isinstance(calls, list) else ())
        if isinstance(call, dict)
    ]
    chunk = {**chat, "choices": [{**choice, "delta": {**message, "tool_calls": numbered}}]}
    writer = Writer(asked)
    writer.write(chunk)
    response: Json = writer.end()[-1].data["response"]
    return response
