"""What is in a chunk, whoever sent it: of another type than expected is not there."""

from typing import Any

import msgspec

from gateway.wire.events import Json


def read_choice(chunk: Json) -> Json | None:
    """The first choice, with an object for its delta."""
    choices = chunk.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        return None
    return choice if isinstance(choice.get("delta"), dict) else {**choice, "delta": {}}


def read_text(content: object) -> str:
    """A string, or the texts of a list of parts (Mistral)."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "".join(part["text"] for part in _of_type(content, "text") if isinstance(part.get("text"), str))


def read_thinking(delta: Json) -> str:
    """`reasoning_content`; `reasoning` (OpenRouter, Groq, vLLM); parts of the content (Mistral)."""
    for name in ("reasoning_content", "reasoning"):
        if text := read_text(delta.get(name)):
            return text
    content = delta.get("content")
    parts = _of_type(content, "thinking") if isinstance(content, list) else ()
    return "".join(read_text(part.get("thinking")) for part in parts)


def _of_type(parts: list[Any], kind: str) -> list[Json]:
    return [part for part in parts if isinstance(part, dict) and part.get("type") == kind]


def read_function(call: Json) -> tuple[str, str]:
    """A fragment's name and arguments; arguments that are no text are JSON already (Ollama)."""
    function = call.get("function")
    if not isinstance(function, dict):
        return "", ""
    name, arguments = function.get("name"), function.get("arguments")
    if isinstance(arguments, dict):
        arguments = msgspec.json.encode(arguments).decode()
    return name if isinstance(name, str) else "", arguments if isinstance(arguments, str) else ""


def read_signature(call: Json) -> str | None:
    found: object = call
    for name in ("extra_content", "google", "thought_signature"):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) and found else None


def read_logprobs(logprobs: object) -> list[Json]:
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    found = (_logprob(one) for one in content) if isinstance(content, list) else ()
    return [one for one in found if one is not None]


def _logprob(given: object) -> Json | None:
    if not isinstance(given, dict):
        return None
    token, logprob, top = given.get("token"), given.get("logprob"), given.get("top_logprobs")
    if not isinstance(token, str) or not isinstance(logprob, int | float):
        return None
    read = {"token": token, "logprob": logprob, "bytes": given.get("bytes") or list(token.encode())}
    others = (_logprob(one) for one in top) if isinstance(top, list) else ()
    return {**read, "top_logprobs": [{k: one[k] for k in read} for one in others if one is not None]}
