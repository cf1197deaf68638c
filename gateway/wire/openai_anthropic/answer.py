"""An answer of the Messages API as a chat completion."""

from typing import Any

import msgspec

from gateway.core.fault import EmptyFault, ProtocolFault
from gateway.wire.anthropic import count_tokens, read_failure
from gateway.wire.events import Json
from gateway.wire.openai_anthropic.messages import FORMAT

_FINISHES = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}


def translate(body: Json) -> Json:
    """Raises a Fault for an error, for what is no answer, and for one with nothing in it."""
    if body.get("type") == "error" or body.get("error"):
        raise read_failure(200, encode(body).encode())
    blocks = body.get("content")
    if not isinstance(blocks, list):
        raise ProtocolFault
    if not blocks and body.get("stop_reason") is None:
        raise EmptyFault
    message = _message([block for block in blocks if isinstance(block, dict)])
    if (refusal := explanation(body)) is not None:
        message["refusal"] = refusal
    if message["content"] is None and not message.get("tool_calls") and refusal is None:
        message["content"] = ""
    answer: Json = {
        "id": as_text(body.get("id")),
        "object": "chat.completion",
        "created": 0,
        "model": as_text(body.get("model")),
        "choices": [
            {"index": 0, "message": message, "logprobs": None, "finish_reason": finish(body.get("stop_reason"))}
        ],
    }
    if (usage := chat_usage(body.get("usage"))) is not None:
        answer["usage"] = usage
    return answer


def finish(stop_reason: object) -> str:
    return _FINISHES.get(as_text(stop_reason), "stop")


def explanation(stopped: Json) -> str | None:
    """Why a model refused, where it says so."""
    details = stopped.get("stop_details")
    if stopped.get("stop_reason") != "refusal" or not isinstance(details, dict):
        return None
    return as_text(details.get("explanation")) or None


def chat_usage(*reports: object) -> Json | None:
    """Of `usage` in message_start, or in a plain answer, and in message_delta."""
    tokens = count_tokens(*reports)
    if tokens is None:
        return None
    return {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        "total_tokens": tokens.prompt + tokens.completion,
        "prompt_tokens_details": {"cached_tokens": tokens.cached, "cache_write_tokens": tokens.written},
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning},
    }


def thought(text: str, signature: str = "") -> Json:
    detail = {"type": "reasoning.text", "text": text, "format": FORMAT}
    return {**detail, "signature": signature} if signature else detail


def hidden_thought(data: object) -> Json:
    return {"type": "reasoning.encrypted", "data": as_text(data), "format": FORMAT}


def as_text(value: object) -> str:
    return value if isinstance(value, str) else ""


def encode(value: object) -> str:
    """Raises ProtocolFault for what is nested too deeply."""
    try:
        return msgspec.json.encode(value).decode()
    except (RecursionError, ValueError, OverflowError):
        raise ProtocolFault from None


def _message(blocks: list[Json]) -> Json:
    texts, thoughts, details, calls = [], [], [], []
    for block in blocks:
        match block.get("type"):
            case "text":
                texts.append(as_text(block.get("text")))
            case "thinking":
                thoughts.append(as_text(block.get("thinking")))
                details.append(thought(thoughts[-1], as_text(block.get("signature"))))
            case "redacted_thinking":
                details.append(hidden_thought(block.get("data")))
            case "tool_use":
                calls.append(_call(block))
    message: dict[str, Any] = {"role": "assistant", "content": "".join(texts) or None, "refusal": None}
    if any(thoughts):
        message["reasoning_content"] = "".join(thoughts)
    if details:
        message["reasoning_details"] = details
    if calls:
        message["tool_calls"] = calls
    return message


def _call(block: Json) -> Json:
    function = {"name": as_text(block.get("name")), "arguments": encode(block.get("input") or {})}
    return {"id": as_text(block.get("id")), "type": "function", "function": function}
