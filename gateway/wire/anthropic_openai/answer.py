"""A chat completion as a message."""

import re

import msgspec

from gateway.core.fault import EmptyFault, ProtocolFault
from gateway.wire.anthropic_openai.reasoning import THOUGHT, mark, read_pieces
from gateway.wire.anthropic_openai.tools import full_names
from gateway.wire.events import Json

_NOT_OF_IDS = re.compile(r"[^A-Za-z0-9_-]")
_MAX_ID = 64
# OpenAI takes no more than 40 characters for the id of a tool call.
_OF_MESSAGE = 24

_STOPS = {"length": "max_tokens", "model_length": "max_tokens", "content_filter": "refusal"}


def read_answer(chat: Json, asked: Json) -> Json:
    """Raises EmptyFault or ProtocolFault."""
    choices = chat.get("choices")
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise ProtocolFault
    if not choices:
        raise EmptyFault
    said = choices[0].get("message")
    if not isinstance(said, dict):
        raise ProtocolFault
    name = message_id(chat.get("id"))
    refusal = said.get("refusal") if isinstance(said.get("refusal"), str) else ""
    text = read_content(said.get("content")) + [{"type": "text", "text": refusal}] * bool(refusal)
    calls = _read_calls(said.get("tool_calls"), name, asked)
    ending = Ending(choices[0], has_tools=bool(calls), refused=bool(refusal))
    return {
        "id": name,
        "type": "message",
        "role": "assistant",
        "model": read_model(chat, asked),
        "content": [*_read_reasoning(said), *text, *calls],
        **ending.told(asked),
        "usage": read_usage(chat.get("usage")),
    }


class Ending:
    """Why an answer ended."""

    def __init__(self, choice: Json, *, has_tools: bool, refused: bool) -> None:
        self._finish = choice.get("finish_reason")
        # vLLM and SGLang say which sequence it was; a number is a token.
        self._matched = choice.get("stop_reason") or choice.get("matched_stop")
        self._has_tools = has_tools
        self._refused = refused

    def told(self, asked: Json) -> Json:
        """`stop_reason` and `stop_sequence`. Many servers say `stop` after tool calls."""
        stops = asked.get("stop_sequences")
        if self._refused:
            reason = "refusal"
        elif isinstance(self._finish, str) and self._finish in _STOPS:
            reason = _STOPS[self._finish]
        elif self._has_tools:
            reason = "tool_use"
        elif isinstance(self._matched, str) and isinstance(stops, list) and self._matched in stops:
            return {"stop_reason": "stop_sequence", "stop_sequence": self._matched}
        else:
            reason = "end_turn"
        return {"stop_reason": reason, "stop_sequence": None}


def message_id(given: object) -> str:
    name = _NOT_OF_IDS.sub("", given)[:_MAX_ID] if isinstance(given, str) else ""
    return f"msg_{name.removeprefix('chatcmpl-').removeprefix('msg_')}"


def tool_id(given: object, message: str, n: int) -> str:
    """As it is, in the characters that Anthropic takes; of a call without one, by the message and its place in it."""
    if isinstance(given, str) and given:
        return _NOT_OF_IDS.sub("_", given)
    return f"toolu_{message.removeprefix('msg_')[-_OF_MESSAGE:]}_{n}"


def read_model(chat: Json, asked: Json) -> str:
    names = (source.get("model") for source in (chat, asked))
    return next((name for name in names if isinstance(name, str) and name), "")


def read_content(content: object) -> list[Json]:
    """Text blocks. A list of parts is Mistral's, and its thinking is not text: `read_thoughts`."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict) and part.get("type") in ("text", "refusal")]
    joined = "".join(text for text in texts if isinstance(text, str))
    return [{"type": "text", "text": joined}] if joined else []


def read_thoughts(content: object) -> str:
    """Mistral's: `{"type": "thinking", "thinking": [{"type": "text", "text"}]}` among the parts."""
    if not isinstance(content, list):
        return ""
    thoughts = [part["thinking"] for part in content if isinstance(part, dict) and "thinking" in part]
    return "".join(block["text"] for thought in thoughts for block in read_content(thought))


def read_usage(usage: object) -> Json:
    """Anthropic counts what was cached apart from `input_tokens`."""
    given = usage if isinstance(usage, dict) else {}
    prompt, details = _count(given.get("prompt_tokens")), given.get("prompt_tokens_details")
    details = details if isinstance(details, dict) else {}
    read = min(_count(details.get("cached_tokens")), prompt)
    written = min(_count(details.get("cache_write_tokens")), prompt - read)
    told: Json = {
        "input_tokens": prompt - read - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": _count(given.get("completion_tokens")),
    }
    spent = given.get("completion_tokens_details")
    if isinstance(spent, dict) and (thought := _count(spent.get("reasoning_tokens"))):
        told["output_tokens_details"] = {"thinking_tokens": thought}
    return told


def thought_signature(call: Json) -> str:
    """Gemini's, of a tool call, as the data of a block before it; empty without one."""
    extra = call.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    signature = google.get("thought_signature") if isinstance(google, dict) else None
    return mark(signature, THOUGHT) if isinstance(signature, str) and signature else ""


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _read_reasoning(said: Json) -> list[Json]:
    """A text and the signature that comes after it are one block."""
    blocks: list[Json] = []
    if thoughts := read_thoughts(said.get("content")):
        blocks.append({"type": "thinking", "thinking": thoughts, "signature": ""})
    for piece in read_pieces(said):
        if piece.opaque:
            blocks.append({"type": "redacted_thinking", "data": piece.opaque})
        elif not piece.text and blocks and blocks[-1].get("signature") == "":
            blocks[-1]["signature"] = piece.signature
        else:
            blocks.append({"type": "thinking", "thinking": piece.text, "signature": piece.signature})
    return blocks


def _read_calls(calls: object, message: str, asked: Json) -> list[Json]:
    names = full_names(asked)
    blocks: list[Json] = []
    for n, call in enumerate(calls if isinstance(calls, list) else ()):
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            raise ProtocolFault
        name = function.get("name")
        if not isinstance(name, str) or not name:
            raise ProtocolFault
        if signature := thought_signature(call):
            blocks.append({"type": "redacted_thinking", "data": signature})
        made = {"type": "tool_use", "id": tool_id(call.get("id"), message, n), "name": names.get(name, name)}
        blocks.append({**made, "input": _read_arguments(function.get("arguments"))})
    return blocks


def _read_arguments(arguments: object) -> Json:
    """What is no JSON object is handed on under a name that no tool has, so that the caller's own check finds it."""
    if isinstance(arguments, dict):
        return arguments
    if not isinstance(arguments, str) or not arguments.strip():
        return {}
    try:
        read = msgspec.json.decode(arguments)
    except (ValueError, RecursionError):
        read = arguments
    if read is None:
        return {}
    return read if isinstance(read, dict) else {"invalid_arguments": arguments}
