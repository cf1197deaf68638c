"""Arguments of a function call that come in pieces: `partialArgs`, each a value at a JSON path.

https://docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling, streamed arguments. A string
comes in several pieces, told apart from a second value by nothing: pieces of one path are joined.
"""

import itertools
import re

from gateway.core.fault import ProtocolFault
from gateway.wire.events import Json

MAX_DEPTH = 64

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d{1,9})\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")
_VALUES = ("stringValue", "numberValue", "boolValue")

Steps = list[str | int]


class Arguments:
    """An object that is filled in piece by piece."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: Json = {}

    def add(self, piece: object) -> None:
        """Raises ProtocolFault for a path that leads nowhere."""
        if not isinstance(piece, dict):
            raise ProtocolFault
        steps = _steps(piece.get("jsonPath"))
        last = steps[-1]
        place: Json | list[object] = self.value
        for step, following in itertools.pairwise(steps):
            found = _get(place, step)
            if found is None:
                found = [] if isinstance(following, int) else {}
                _set(place, step, found)
            if not isinstance(found, dict | list):
                raise ProtocolFault
            place = found
        value = next((piece[name] for name in _VALUES if name in piece), None)
        before = _get(place, last)
        _set(place, last, before + value if isinstance(before, str) and isinstance(value, str) else value)


def _steps(path: object) -> Steps:
    if not isinstance(path, str) or not path.startswith("$"):
        raise ProtocolFault
    steps: Steps = []
    at = 1
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None or len(steps) >= MAX_DEPTH:
            raise ProtocolFault
        name, index, quoted, doubly = found.groups()
        steps.append(
            int(index) if index is not None else next(word for word in (name, quoted, doubly) if word is not None)
        )
        at = found.end()
    if not steps or isinstance(steps[0], int):
        raise ProtocolFault
    return steps


def _get(place: Json | list[object], step: str | int) -> object:
    """None where nothing is yet."""
    if isinstance(place, dict) and isinstance(step, str):
        return place.get(step)
    if isinstance(place, list) and isinstance(step, int):
        return place[step] if step < len(place) else None
    raise ProtocolFault


def _set(place: Json | list[object], step: str | int, value: object) -> None:
    """Items of a list come one after another."""
    if isinstance(place, dict) and isinstance(step, str):
        place[step] = value
    elif isinstance(place, list) and isinstance(step, int) and step <= len(place):
        place[step : step + 1] = [value]
    else:
        raise ProtocolFault
