"""How hard a model thinks, by its name: levels from Gemini 3 on, budgets in tokens for 2.5.

https://ai.google.dev/gemini-api/docs/thinking and, for the budgets, Google's own OpenAI endpoint.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from gateway.core.errors import InvalidValue
from gateway.wire.events import Json

_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


class Family(NamedTuple):
    """`efforts` is what `member` of thinkingConfig is for each effort.

    `signed`: a functionCall needs its thoughtSignature, calls have ids, and a functionResponse may hold media.
    """

    member: str = ""
    efforts: Mapping[str, str | int] = {}
    signed: bool = False


def _levels(*levels: str) -> Family:
    return Family("thinkingLevel", dict(zip(_EFFORTS, levels, strict=True)), signed=True)


def _budgets(*budgets: int) -> Family:
    return Family("thinkingBudget", dict(zip(_EFFORTS, budgets, strict=True)))


# The first that is found in the name. Thinking cannot be turned off where "none" has a level or a budget.
_FAMILIES = (
    (re.compile(r"gemini-(?:[3-9]|[1-9]\d)\b.*-image"), Family(signed=True)),
    (re.compile(r"-image|-tts"), Family()),
    (re.compile(r"gemini-3-pro"), _levels("LOW", "LOW", "LOW", "HIGH", "HIGH", "HIGH", "HIGH")),
    (
        re.compile(r"gemini-(?:[3-9]|[1-9]\d)(?:\.\d+)?-pro|gemini-pro-latest"),
        _levels("LOW", "LOW", "LOW", "MEDIUM", "HIGH", "HIGH", "HIGH"),
    ),
    (
        re.compile(r"gemini-(?:[3-9]|[1-9]\d)\b|gemini-flash"),
        _levels("MINIMAL", "MINIMAL", "LOW", "MEDIUM", "HIGH", "HIGH", "HIGH"),
    ),
    (re.compile(r"gemini-2\.5-pro"), _budgets(128, 1024, 1024, 8192, 24576, 32768, 32768)),
    (re.compile(r"gemini-2\.5"), _budgets(0, 1024, 1024, 8192, 24576, 24576, 24576)),
)


def family_of(remote: str) -> Family:
    """Of a model that is not known to think, one without efforts."""
    return next((family for name, family in _FAMILIES if name.search(remote)), Family())


def thinking_config(family: Family, effort: object) -> Json | None:
    """None if the model does not think. Raises InvalidValue."""
    if not isinstance(effort, str) or effort not in _EFFORTS:
        raise InvalidValue(param="reasoning_effort")
    if not family.efforts:
        return None
    return {family.member: family.efforts[effort], "includeThoughts": effort != "none"}
