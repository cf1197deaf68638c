"""What the entries of the file say of one another: names that collide, dangle, or go round in circles.

Works on the plain data, so that an entry with a fault of its own still counts as declared and is still checked.
A section that is missing or no mapping at all is `None` here: nothing can be said about what refers to it.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from gateway.config.faults import Path, shown
from gateway.config.findings import Findings
from gateway.config.interpolation import Unset
from gateway.config.names import Names
from gateway.config.values import RESERVED

Section = Mapping[str, object]
ROUTABLE = {"tiers": "tier", "aliases": "alias", "models": "model"}


def section(data: Section, name: str, *, required: bool = False) -> Section | None:
    """A section by its name; one that may be left out is empty then."""
    found = data.get(name, None if required else {})
    return found if isinstance(found, dict) else None


def check_references(data: Section, findings: Findings) -> None:
    References(data, findings).check()


class References:
    """The declared names, and a check for each kind of reference to them."""

    def __init__(self, data: Section, findings: Findings) -> None:
        self.findings = findings
        self.upstreams = section(data, "upstreams", required=True)
        self.models = section(data, "models", required=True)
        self.names = Names(self.models or ())
        self.tiers = section(data, "tiers")
        self.aliases = section(data, "aliases")
        self.complexity = section(data, "complexity")
        self.limits = section(data, "limits")
        self.keys = data.get("keys")

    def check(self) -> None:
        self._check_collisions()
        for name, entry in (self.models or {}).items():
            if isinstance(entry, dict):
                self._check_model(name, entry)
        for name, groups in (self.tiers or {}).items():
            if isinstance(groups, list):
                self._check_members("tier", list(_members(groups, ("tiers", name))))
        for level, tier in (self.complexity or {}).items():
            if self.tiers is not None and isinstance(tier, str) and tier not in self.tiers:
                self._unknown(("complexity", level), "tier", tier, self.tiers)
        for alias, end in (self.aliases or {}).items():
            if isinstance(end, str):
                self._check_alias(alias, end)
        self._check_circles()
        self._check_keys()

    def _check_collisions(self) -> None:
        declared: dict[str, list[Path]] = {}
        for kind in ROUTABLE:
            for name in getattr(self, kind) or ():
                declared.setdefault(name, []).append((kind, name))
        for name, paths in declared.items():
            first, *later = sorted(paths, key=self.findings.line) if len(paths) > 1 else paths
            for path in later:
                place = f"{_a(ROUTABLE[str(first[0])])}, on line {self.findings.line(first)}"
                self.findings.fault(path, f"'{shown(name)}' is already the name of {place}", at_key=True)

    def _check_model(self, name: str, entry: Section) -> None:
        path = ("models", name)
        upstream, remote, fallbacks = entry.get("upstream"), entry.get("name"), entry.get("fallbacks")
        if self.upstreams is not None and isinstance(upstream, str) and upstream not in self.upstreams:
            self._unknown((*path, "upstream"), "upstream", upstream, self.upstreams)
        if isinstance(remote, str) and "*" in remote and not name.endswith("*"):
            self.findings.fault((*path, "name"), "can have a '*' only where the model's own name ends in one")
        if isinstance(fallbacks, list):
            members: list[tuple[Path, str]] = [
                ((*path, "fallbacks", i), m) for i, m in enumerate(fallbacks) if isinstance(m, str)
            ]
            for place, member in members:
                if member == name:
                    self.findings.fault(place, "is the model itself")
            self._check_members("list", members)

    def _check_members(self, whole: str, members: list[tuple[Path, str]]) -> None:
        seen: set[str] = set()
        for path, member in members:
            if member in seen:
                self.findings.fault(path, f"is in this {whole} already")
            seen.add(member)
            self._check_concrete(path, member)

    def _check_concrete(self, path: Path, name: str) -> None:
        if self.models is None or self._is_model(name):
            return
        if name in self.models:
            self.findings.fault(path, "is a wildcard: write the name of a model that it covers")
        elif self._declared(name):
            kind = "tier" if name in (self.tiers or ()) else "alias"
            self.findings.fault(path, f"is {_a(kind)}: only models can be here")
        else:
            self._unknown(path, "model", name, self.models)

    def _check_alias(self, alias: str, end: str) -> None:
        path = ("aliases", alias)
        if self.models is None or self.tiers is None or self._is_model(end) or self._declared(end):
            return
        if end in self.models:
            self.findings.fault(path, "is a wildcard: write the name of a model that it covers")
        elif end == RESERVED:
            self.findings.fault(path, f"cannot stand for '{RESERVED}': only for a tier, a model or an alias")
        else:
            others = (name for name in self.aliases or () if name != alias)
            self._unknown(path, "tier, model or alias", end, chain(self.tiers, self.models, others))

    def _check_keys(self) -> None:
        if self.limits is None or not isinstance(self.keys, list):
            return
        for index, entry in enumerate(self.keys):
            name = entry.get("limits") if isinstance(entry, dict) else None
            if isinstance(name, str) and not isinstance(name, Unset) and name not in self.limits:
                hint = self.findings.did_you_mean(name, self.limits)
                self.findings.fault(("keys", index, "limits"), f"there are no limits '{shown(name)}'{hint}")

    def _check_circles(self) -> None:
        """Each circle is reported once, at its first alias."""
        done: set[str] = set()
        for start in self.aliases or ():
            trail = list(self._trail(start, done))
            done.update(trail)
            if trail and trail[-1] in trail[:-1]:
                circle = trail[trail.index(trail[-1]) :]
                self.findings.fault(("aliases", circle[0]), "goes in a circle: " + " -> ".join(map(shown, circle)))

    def _trail(self, name: str, done: set[str]) -> Iterator[str]:
        """The aliases from `name` on; the last is a repetition if they go in a circle."""
        passed: set[str] = set()
        following: object = name
        while isinstance(following, str) and self.aliases and following in self.aliases and following not in done:
            yield following
            if following in passed:
                return
            passed.add(following)
            following = self.aliases[following]

    def _is_model(self, name: str) -> bool:
        """Whether it is the name of one model, its own or under a wildcard."""
        return "*" not in name and self.names.model_of(name) is not None

    def _declared(self, name: str) -> bool:
        return name in (self.tiers or ()) or name in (self.aliases or ())

    def _unknown(self, path: Path, kind: str, name: str, known: Iterable[str]) -> None:
        self.findings.fault(path, f"there is no {kind} '{shown(name)}'{self.findings.did_you_mean(name, known)}")


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] == "a" else f"a {kind}"


def _members(groups: list[object], path: Path) -> Iterator[tuple[Path, str]]:
    """The models of a tier, each with its path."""
    for index, group in enumerate(groups):
        if isinstance(group, str):
            yield (*path, index), group
        elif isinstance(group, list):
            yield from (((*path, index, i), member) for i, member in enumerate(group) if isinstance(member, str))
