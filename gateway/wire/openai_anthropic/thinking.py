"""How much a model is to think before it answers."""

from gateway.wire.events import Json
from gateway.wire.expect import invalid
from gateway.wire.openai_anthropic.content import Dropped
from gateway.wire.openai_anthropic.models import Abilities

# OpenAI's word: effort where xhigh is known, effort before, tokens where there is a budget instead.
_EFFORTS = {
    "minimal": ("low", "low", 1024),
    "low": ("low", "low", 2048),
    "medium": ("medium", "medium", 8192),
    "high": ("high", "high", 16384),
    "xhigh": ("xhigh", "max", 32768),
    "max": ("max", "max", 65536),
}
_LEAST_BUDGET = 1024
_FORCED = ("any", "tool")


def read_thinking(body: Json, chat: Json, can_think: bool, abilities: Abilities, dropped: Dropped) -> bool:
    """Whether the model thinks now. `body` has its max_tokens and its tool_choice. Raises InvalidValue."""
    effort = chat.get("reasoning_effort")
    if effort is None:
        return False
    if effort == "none":
        _keep_silent(body, abilities)
        return False
    if not isinstance(effort, str) or effort not in _EFFORTS:
        invalid("reasoning_effort", "`none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`")
    newest, newer, budget = _EFFORTS[effort]
    if abilities.adaptive:
        body["thinking"] = {"type": "adaptive", "display": "summarized"} if abilities.xhigh else {"type": "adaptive"}
        body["output_config"] = {"effort": newest if abilities.xhigh else newer}
        return True
    # Of the tokens for thinking and answer together, half at least are for the answer.
    half = body["max_tokens"] // 2
    is_forced = body.get("tool_choice", {}).get("type") in _FORCED
    if half < _LEAST_BUDGET or is_forced or not can_think:
        dropped["reasoning_effort"] = None
        return False
    body["thinking"] = {"type": "enabled", "budget_tokens": min(budget, half)}
    return True


def _keep_silent(body: Json, abilities: Abilities) -> None:
    if abilities.silent:
        body["thinking"] = {"type": "disabled"}
    else:
        body["output_config"] = {"effort": "low"}
