"""A budget needs prices: a call of a model without one would cost it nothing."""

from collections.abc import Iterator, Sequence

from gateway.config.faults import shown
from gateway.config.findings import Findings
from gateway.config.names import Names
from gateway.config.references import Section, section

# What a glob's `*` may stand for: nothing, or what no configured name has in its place.
FILLERS = ("", "\0")


def check_budgets(data: Section, findings: Findings) -> None:
    """Models of upstreams that are left out count too: a variable that is set later brings them back."""
    limits, models, keys = section(data, "limits") or {}, section(data, "models") or {}, data.get("keys")
    budgeted = {name for name, entry in limits.items() if isinstance(entry, dict) and "budget" in entry}
    reach = Reach(models)
    if not budgeted or not reach.unpriced or not isinstance(keys, list):
        return
    for index, entry in enumerate(keys):
        if not isinstance(entry, dict) or not isinstance(name := entry.get("limits"), str) or name not in budgeted:
            continue
        globs = entry.get("models", ["*"])
        message = reach.message(
            tuple(glob for glob in globs if isinstance(glob, str)) if isinstance(globs, list) else ()
        )
        if reach.names.exhausted:
            findings.fault(
                ("keys", index, "models"), "cannot be checked: the keys before it have too many unlike globs"
            )
            return
        if message is not None:
            findings.fault(("keys", index, "limits"), message)


def _message(models: Sequence[str]) -> str:
    others = len(models) - 1
    more = "" if not others else f" and {others} other model{'s' if others > 1 else ''}"
    return (
        f"has a budget, but '{shown(models[0])}'{more}, which the key may use, "
        f"ha{'ve' if others else 's'} no price ({{input: 0}} for what is free)"
    )


class Reach:
    """Which models without a price a key can come to; `unpriced` are all of them."""

    def __init__(self, models: Section) -> None:
        self.names = Names(models)
        self.unpriced = {name for name, entry in models.items() if isinstance(entry, dict) and "price" not in entry}
        self._messages: dict[tuple[str, ...], str | None] = {}

    def message(self, globs: tuple[str, ...]) -> str | None:
        """What is wrong with a key that may use those models and has a budget."""
        if globs not in self._messages:
            found = dict.fromkeys(name for glob in globs for name in self._covered(glob) if name in self.unpriced)
            self._messages[globs] = _message(list(found)) if found else None
        return self._messages[globs]

    def _covered(self, glob: str) -> Iterator[str]:
        """In the order of the file."""
        if "*" in glob:
            wildcards = [name for name in self.names.near(glob) if self._leads_into(glob, name)]
            yield from sorted([*self.names.covered(glob), *wildcards], key=self.names.rank.__getitem__)
        elif (model := self.names.model_of(glob)) is not None:
            yield model

    def _leads_into(self, glob: str, wildcard: str) -> bool:
        """Whether a name that the glob covers goes to the wildcard: none does if other models take them all."""
        literal, _, rest = glob.partition("*")
        stem, tail = max(wildcard[:-1], literal, key=len), rest.replace("*", "")
        return any(self.names.model_of(stem + filler + tail) == wildcard for filler in FILLERS)
