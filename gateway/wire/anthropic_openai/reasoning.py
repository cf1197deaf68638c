"""Reasoning in both schemas: how much of it is asked for, and whose the signatures are.

A signature belongs to the provider that made it. Anthropic's blocks have no place for a name, so a foreign one
carries it in front, with the id of its item: `openai-responses-v1:rs_1:...`. What is in Base64 has no colon. The
next turn brings it back.
"""

import re
from typing import NamedTuple

from gateway.core.errors import InvalidValue
from gateway.wire.events import Json

ANTHROPIC = "anthropic-claude-v1"
# Of a tool call: Gemini's, which comes back with the call.
THOUGHT = "google-thought-signature"
_UNKNOWN = "unknown"

_FORMAT = re.compile(r"[a-z][a-z0-9.-]{0,39}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_MARKED = re.compile(r"([a-z][a-z0-9.-]{0,39}):([A-Za-z0-9_-]{0,128}):(.*)", re.DOTALL)

# Whose reasoning comes back by the id of its item, signed or not.
_BY_ITEM = ("openai-responses-v1",)
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
# Up to so many tokens of thought.
_BUDGETS = ((4096, "low"), (16384, "medium"))
_MOST = "high"
_THINKING = ("enabled", "adaptive", "between_tools", "disabled")


def mark(value: str, whose: object, item: object = None) -> str:
    if whose == ANTHROPIC:
        return value
    name = whose if isinstance(whose, str) and _FORMAT.fullmatch(whose) else _UNKNOWN
    return f"{name}:{item if isinstance(item, str) and _ID.fullmatch(item) else ''}:{value}"


def unmark(value: str) -> tuple[str, Json]:
    """The value as its provider made it, and `format` and `id`: whose it is, and of which item."""
    marked = _MARKED.fullmatch(value)
    if marked is None:
        return value, {"format": ANTHROPIC}
    return marked[3], {"format": marked[1], **({"id": marked[2]} if marked[2] else {})}


class Piece(NamedTuple):
    """Of the reasoning in an answer: a text, a signature that ends a text, or what is opaque as a whole."""

    text: str = ""
    signature: str = ""
    opaque: str = ""


def read_thought(said: Json) -> str:
    """Of a message or a delta, outside of the details."""
    return next((t for t in (said.get("reasoning_content"), said.get("reasoning")) if isinstance(t, str) and t), "")


def read_pieces(said: Json, *, retold: bool = False) -> list[Piece]:
    """Of a message or a delta. The text may be in the details, too, which then have it part by part.

    `retold`: earlier deltas had the text outside of the details, so that theirs is a repetition.
    """
    text = read_thought(said)
    details = said.get("reasoning_details")
    read = [_read_detail(detail) for detail in details if isinstance(detail, dict)] if isinstance(details, list) else []
    found = [piece for one in read if any(piece := one._replace(text="") if retold else one)]
    return found if not text or any(piece.text for piece in found) else [Piece(text), *found]


def _read_detail(detail: Json) -> Piece:
    whose = detail.get("format")
    data, signature = detail.get("data"), detail.get("signature")
    item = detail.get("id")
    if isinstance(data, str) and data:
        return Piece(opaque=mark(data, whose, item))
    text = next((t for t in (detail.get("text"), detail.get("summary")) if isinstance(t, str)), "")
    if isinstance(signature, str) and signature:
        return Piece(text, mark(signature, whose, item))
    return Piece(text, mark("", whose, item) if isinstance(item, str) and item and whose in _BY_ITEM else "")


def read_effort(thinking: object, effort: object) -> str | None:
    """`reasoning_effort`, or None where the model's own default is meant. Raises InvalidValue."""
    if effort is not None and effort not in _EFFORTS:
        raise InvalidValue(param="output_config.effort")
    if thinking is None:
        return str(effort) if effort else None
    if not isinstance(thinking, dict) or thinking.get("type") not in _THINKING:
        raise InvalidValue(param="thinking")
    kind, budget = thinking["type"], thinking.get("budget_tokens")
    if kind == "disabled":
        return None
    if kind != "enabled":
        return str(effort) if effort else None
    if not isinstance(budget, int) or isinstance(budget, bool) or budget < 1:
        raise InvalidValue(param="thinking.budget_tokens")
    return str(effort) if effort else next((word for most, word in _BUDGETS if budget <= most), _MOST)
