"""A budget needs prices: a call of a model without one would cost it nothing."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from gateway.config.faults import shown
from gateway.config.findings import Findings
from gateway.config.references import Section, section

# What a glob's `*` may stand for: nothing, or what no configured name has in its place.
FILLERS = ("", "\0")


def check_budgets(data: Section, findings: Findings) -> None:
    """Models of upstreams that are left out count too: a variable that is set later brings them back."""
    limits, models, keys = section(data, "limits") or {}, section(data, "models") or {}, data.get("keys")
    budgeted = [name for name, entry in limits.items() if isinstance(entry, dict) and "budget" in entry]
    reach = Reach(models)
    if not budgeted or not reach.unpriced or not isinstance(keys, list):
        return
    for index, entry in enumerate(keys):
        if isinstance(entry, dict) and entry.get("limits") in budgeted:
            globs = entry.get("models", ["*"])
            found = reach.of(globs) if isinstance(globs, list) else []
            if found:
                findings.fault(("keys", index, "limits"), _message(found))


def _message(models: Sequence[str]) -> str:
    others = len(models) - 1
    more = "" if not others else f" and {others} other model{'s' if others > 1 else ''}"
    return (
        f"has a budget, but '{shown(models[0])}'{more}, which the key may use, "
        f"ha{'ve' if others else 's'} no price ({{input: 0}} for what is free)"
    )


class Reach:
    """Which models without a price a key can come to; `unpriced` are all of them, in the order of the file."""

    def __init__(self, models: Section) -> None:
        entries = ((name, entry) for name, entry in models.items() if isinstance(entry, dict))
        self.unpriced = dict.fromkeys(name for name, entry in entries if "price" not in entry)
        self._plain = {name for name in models if not name.endswith("*")}
        self._prefixes = {name[:-1] for name in models if name.endswith("*")}
        self._lengths = sorted({len(prefix) for prefix in self._prefixes}, reverse=True)
        self._found: dict[str, list[str]] = {}

    def of(self, globs: Sequence[object]) -> list[str]:
        found: dict[str, None] = {}
        for glob in globs:
            if isinstance(glob, str):
                if glob not in self._found:
                    self._found[glob] = self._covered(glob)
                found |= dict.fromkeys(self._found[glob])
        return list(found)

    def _covered(self, glob: str) -> list[str]:
        if "*" not in glob:
            return [name for name in (self._model_of(glob),) if name in self.unpriced]
        return [
            name
            for name in self.unpriced
            if (self._leads_into(glob, name) if name.endswith("*") else fnmatchcase(name, glob))
        ]

    def _leads_into(self, glob: str, wildcard: str) -> bool:
        """Whether a name that the glob covers goes to the wildcard: none does if other models take them all."""
        prefix = wildcard[:-1]
        literal, _, rest = glob.partition("*")
        if not (prefix.startswith(literal) or literal.startswith(prefix)):
            return False
        stem, tail = max(prefix, literal, key=len), rest.replace("*", "")
        return any(self._model_of(stem + filler + tail) == wildcard for filler in FILLERS)

    def _model_of(self, name: str) -> str | None:
        """As `Routes.target` has it: the model of that name, or the wildcard with the longest prefix."""
        if name in self._plain:
            return name
        prefixes = (name[:length] for length in self._lengths if length < len(name))
        return next((f"{prefix}*" for prefix in prefixes if prefix in self._prefixes), None)
