"""What is said once of an answer: its id, its model, its time, its usage, why there is none."""

from datetime import UTC, datetime

from gateway.wire.events import Json

MAX_ID = 128


def read_id(body: Json) -> str:
    found = body.get("responseId")
    return found if isinstance(found, str) and 0 < len(found) <= MAX_ID else "0"


def read_head(body: Json, kind: str) -> Json:
    """`created` is 0 where only the Gemini API answers: it tells no time."""
    model = body.get("modelVersion")
    return {
        "id": f"chatcmpl-{read_id(body)}",
        "object": kind,
        "created": _read_time(body.get("createTime")),
        "model": model if isinstance(model, str) else "",
    }


def _read_time(moment: object) -> int:
    if not isinstance(moment, str):
        return 0
    try:
        found = datetime.fromisoformat(moment)
        return max(0, int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()))
    except (ValueError, OverflowError):
        return 0


def read_usage(metadata: object) -> Json | None:
    """None until the prompt was counted. What a tool of Google's read is prompt, what was thought is completion."""
    if not isinstance(metadata, dict) or "promptTokenCount" not in metadata:
        return None
    prompt = _count(metadata, "promptTokenCount") + _count(metadata, "toolUsePromptTokenCount")
    thoughts = _count(metadata, "thoughtsTokenCount")
    completion = _count(metadata, "candidatesTokenCount") + thoughts
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": min(prompt, _count(metadata, "cachedContentTokenCount"))},
        "completion_tokens_details": {"reasoning_tokens": thoughts},
    }


def _count(metadata: Json, name: str) -> int:
    value = metadata.get(name)
    return value if type(value) is int and value > 0 else 0


def read_block(body: Json) -> tuple[bool, str | None]:
    """Whether the prompt was blocked, and what is said about it."""
    feedback = body.get("promptFeedback")
    if not isinstance(feedback, dict):
        return False, None
    reason, message = feedback.get("blockReason"), feedback.get("blockReasonMessage")
    blocked = reason not in (None, "", "BLOCKED_REASON_UNSPECIFIED", 0)
    return blocked, message if blocked and isinstance(message, str) and message else None
