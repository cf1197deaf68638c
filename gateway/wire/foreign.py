"""What another provider's model thought, in a conversation that a native upstream goes on with.

A signature that is not its own is an error to a provider, so such thoughts are left out. Only a request that has any
is read for it: the marks stand in no other place of it but a text about them.
"""

import re

import msgspec

from gateway.core.errors import InvalidValue
from gateway.wire.anthropic_openai.reasoning import ANTHROPIC, unmark
from gateway.wire.events import Json
from gateway.wire.responses_openai.reasoning import is_sealed

_MARKED_SIGNATURE = re.compile(rb'"(?:signature|data)"\s*:\s*"(?:"|[a-z][a-z0-9.-]*:)')
_SEALED = re.compile(rb'"encrypted_content"\s*:\s*"gateway-v1\.')


def own_messages(messages: msgspec.Raw) -> msgspec.Raw:
    """Anthropic's: without thinking that is unsigned, or signed by somebody else."""
    if _MARKED_SIGNATURE.search(messages) is None:
        return messages
    turns = [_own_turn(turn) for turn in _decode(messages, "messages")]
    return msgspec.Raw(msgspec.json.encode([turn for turn in turns if turn is not None]))


def _own_turn(turn: object) -> object:
    """None for one that had nothing else."""
    if not isinstance(turn, dict) or not isinstance(blocks := turn.get("content"), list):
        return turn
    kept = [block for block in blocks if not (isinstance(block, dict) and _is_foreign(block))]
    return {**turn, "content": kept} if kept or not blocks else None


def _is_foreign(block: Json) -> bool:
    signed = {"thinking": "signature", "redacted_thinking": "data"}.get(str(block.get("type")))
    if signed is None:
        return False
    value = block.get(signed)
    return not isinstance(value, str) or not value or unmark(value)[1]["format"] != ANTHROPIC


def own_items(items: msgspec.Raw) -> msgspec.Raw:
    """OpenAI's: without reasoning that the gateway sealed."""
    if _SEALED.search(items) is None:
        return items
    kept = [item for item in _decode(items, "input") if not (isinstance(item, dict) and _is_sealed(item))]
    return msgspec.Raw(msgspec.json.encode(kept))


def _is_sealed(item: Json) -> bool:
    content = item.get("encrypted_content")
    return item.get("type") == "reasoning" and isinstance(content, str) and is_sealed(content)


def _decode(raw: msgspec.Raw, name: str) -> list[object]:
    """Raises InvalidValue for a number that no float holds, which is JSON all the same."""
    try:
        found: list[object] = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, ValueError):
        raise InvalidValue(f"`{name}` has an invalid value.", param=name) from None
    return found
