"""What a response says of itself, in the words of chat completions."""

from gateway.wire.events import Json
from gateway.wire.responses import read_tokens

_FURTHEST = 2**53


class Envelope:
    """What all chunks of a stream have; known as far as the response has said it."""

    def __init__(self, kind: str) -> None:
        self._head: Json = {"id": "resp", "object": kind, "created": 0, "model": ""}

    def read(self, response: Json) -> None:
        for member, name in (("id", "id"), ("model", "model"), ("service_tier", "service_tier")):
            if isinstance(value := response.get(member), str):
                self._head[name] = value
        created = response.get("created_at")
        if isinstance(created, int | float) and 0 <= created < _FURTHEST:
            self._head["created"] = int(created)

    def of(self, choices: list[Json], usage: Json | None = None) -> Json:
        told = {} if usage is None else {"usage": usage}
        return {**self._head, "choices": choices, **told}

    def chunk(self, delta: Json, *, logprobs: list[Json] | None = None, finish: str | None = None) -> Json:
        choice: Json = {"index": 0, "delta": delta, "finish_reason": finish}
        if logprobs is not None:
            choice["logprobs"] = {"content": logprobs, "refusal": None}
        return self.of([choice])


def read_finish(response: Json, calls: int, *, incomplete: bool) -> str:
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    if incomplete or response.get("status") == "incomplete":
        return "content_filter" if reason == "content_filter" else "length"
    return "tool_calls" if calls else "stop"


def read_usage(usage: object) -> Json | None:
    tokens = read_tokens(usage)
    if tokens is None:
        return None
    return {
        "prompt_tokens": tokens.read,
        "completion_tokens": tokens.made,
        "total_tokens": tokens.read + tokens.made,
        "prompt_tokens_details": {"cached_tokens": tokens.cached, "cache_write_tokens": tokens.written},
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning},
    }
