"""model, tier or auto + caller + health -> Plan. Decides, and does nothing: `gateway explain` asks the same."""

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from random import Random
from typing import NamedTuple, NoReturn

from gateway.core.call import ANY, NO_NEEDS, Ask, Call, Caller, Capability, Endpoint, Kind
from gateway.core.errors import InvalidValue, ModelIncapable, ModelNotAllowed, ModelNotFound, NoAvailableUpstream
from gateway.core.route import ALL_CAPABILITIES, Exclusion, Plan, Routes, Target
from gateway.state.health import Health
from gateway.wire.dialect import spoken
from gateway.wire.headers import MIN_COOLDOWN, is_name, retry_headers
from gateway.wire.needs import read_needs

AUTO = "auto"
COMPLEXITIES = ("simple", "medium", "complex")
DEFAULT_COMPLEXITY = "medium"
MAX_CHOICES = 10_000
ILL = (Exclusion.COOLDOWN, Exclusion.BREAKER_OPEN)


class Wanted(NamedTuple):
    """What a choice is made by: names as the call gives them."""

    model: str
    complexity: str
    endpoint: Endpoint
    needs: frozenset[Capability]


Candidate = tuple[Target, Exclusion | None]


class Choice(NamedTuple):
    """What the configuration says of a model, an endpoint and a key: the groups, and why some cannot serve.

    `plan` is what comes of it while all targets are well, if no dice are thrown.
    """

    tier: str | None
    complexity: str | None
    groups: tuple[tuple[Candidate, ...], ...]
    plan: Plan | None = None


class Planner:
    """The routing half of one configuration, the health of its targets, and the dice for equals."""

    def __init__(self, routes: Routes, health: Health, random: Random) -> None:
        self._routes = routes
        self._health = health
        self._random = random
        self._declared = any(model.capabilities != ALL_CAPABILITIES for model in routes.models.values())
        self._choices: dict[tuple[tuple[str, str, Endpoint, frozenset[Capability]], tuple[str, ...]], Choice] = {}

    def plan(self, call: Call, ask: Ask, caller: Caller, now: float) -> Plan:
        """The targets to try, best first. Raises what `refuse_empty` does, and InvalidValue for an unknown hint."""
        plan = self.consider(call.endpoint, ask, caller, now)
        if not plan.targets:
            self.refuse_empty(plan, now)
        return plan

    def consider(self, endpoint: Endpoint, ask: Ask, caller: Caller, now: float) -> Plan:
        """The whole decision, also where it leaves no target. Raises ModelNotFound, InvalidValue."""
        needs = ask.needs or (read_needs(endpoint, ask.fields) if self._declared else NO_NEEDS)
        choice = self._choice((ask.model, self._complexity(ask), endpoint, needs), caller)
        if choice.plan is not None and ask.provider is None and self._health.all_well:
            return choice.plan
        return self._decide(choice, ask.provider, now)

    def _choice(self, wanted: tuple[str, str, Endpoint, frozenset[Capability]], caller: Caller) -> Choice:
        """Looked up, as most calls ask for what others did; names under a wildcard are the callers' to think up."""
        key = wanted, caller.models
        choice = self._choices.get(key)
        if choice is None:
            if len(self._choices) >= MAX_CHOICES:
                self._choices.clear()
            choice = self._choices[key] = self._choose(Wanted(*wanted), caller)
        return choice

    def _choose(self, wanted: Wanted, caller: Caller) -> Choice:
        if wanted.endpoint is Endpoint.STORED:
            name, names = ANY, self._anybody(caller)
        else:
            name, names = self._resolve(wanted.model, wanted.complexity)
        found = [[target for one in group if (target := self._routes.target(one)) is not None] for group in names]
        groups = tuple(tuple((target, _unfit(target, wanted, caller)) for target in group) for group in found)
        complexity = wanted.complexity if wanted.model == AUTO else None
        choice = Choice(name if name in self._routes.tiers else None, complexity, groups)
        if any(len(group) > 1 for group in groups):
            return choice
        return choice._replace(plan=_plan(choice, [pair for group in groups for pair in group]))

    def _decide(self, choice: Choice, provider: str | None, now: float) -> Plan:
        health = self._health
        return _plan(
            choice,
            [
                (target, reason or health.exclusion(target, now))
                for target, reason in self._preferred(self._ordered(choice.groups), provider)
            ],
        )

    def refuse_empty(self, plan: Plan, now: float) -> NoReturn:
        """Raises ModelNotFound, ModelNotAllowed or NoAvailableUpstream: the exclusion that came nearest to serving."""
        reasons = {reason for _, reason in plan.excluded}
        if reasons == {Exclusion.KIND}:
            raise ModelNotFound(param="model")
        if reasons <= {Exclusion.KIND, Exclusion.NOT_ALLOWED}:
            raise ModelNotAllowed(param="model")
        if reasons <= {Exclusion.KIND, Exclusion.NOT_ALLOWED, Exclusion.INCAPABLE}:
            raise ModelIncapable(param="model")
        waits = [self._health.wait(target, now) for target, reason in plan.excluded if reason in ILL]
        retry = retry_headers(max(MIN_COOLDOWN, min(waits, default=MIN_COOLDOWN)))
        raise NoAvailableUpstream(headers=(("x-gateway-attempts", "0"), *retry))

    def _complexity(self, ask: Ask) -> str:
        if ask.complexity is None:
            return DEFAULT_COMPLEXITY
        if ask.complexity not in COMPLEXITIES:
            raise InvalidValue("`complexity` must be simple, medium or complex.", param="complexity")
        return ask.complexity

    def _resolve(self, model: str, complexity: str) -> tuple[str, tuple[tuple[str, ...], ...]]:
        """The tier or model meant, and its groups of model names."""
        routes = self._routes
        name = routes.complexity.get(complexity, "") if model == AUTO else routes.aliases.get(model, model)
        if name in routes.tiers:
            return name, routes.tiers[name]
        target = routes.target(name) if is_name(name) else None
        if target is None:
            raise ModelNotFound(param="model")
        return name, ((name,), *((fallback,) for fallback in target.model.fallbacks))

    def _anybody(self, caller: Caller) -> tuple[tuple[str, ...], ...]:
        """One model of each upstream, that the caller may use: also of a wildcard, if the key names one under it."""
        routes = self._routes
        found: dict[str, tuple[str, ...]] = {}
        for name in (*routes.models, *[glob for glob in caller.models if "*" not in glob]):
            target = routes.target(name)
            if target is not None and is_allowed(target, caller) and target.model.kind is Kind.CHAT:
                found.setdefault(target.upstream.name, (name,))
        return tuple(found.values())

    def _ordered(self, groups: Iterable[Sequence[Candidate]]) -> Iterator[Candidate]:
        """Group after group; equals in random order, each as likely to come first as it weighs."""
        for group in groups:
            if len(group) > 1:
                yield from sorted(group, key=lambda candidate: self._random.expovariate(candidate[0].model.weight))
            else:
                yield from group

    def _preferred(self, candidates: Iterable[Candidate], provider: str | None) -> list[Candidate]:
        if provider is None:
            return list(candidates)
        if provider not in self._routes.upstreams:
            raise InvalidValue("`provider` is not the name of an upstream.", param="provider")
        return sorted(candidates, key=lambda candidate: candidate[0].upstream.name != provider)


def _plan(choice: Choice, candidates: Iterable[Candidate]) -> Plan:
    preferred: Target | None = None
    targets: list[Target] = []
    excluded: list[tuple[Target, Exclusion]] = []
    for target, reason in candidates:
        if reason is None or reason in ILL:
            preferred = preferred or target
        if reason is None:
            targets.append(target)
        else:
            excluded.append((target, reason))
    return Plan(choice.tier, choice.complexity, preferred, tuple(targets), tuple(excluded))


def _unfit(target: Target, wanted: Wanted, caller: Caller) -> Exclusion | None:
    """Why the configuration rules a target out."""
    endpoint = wanted.endpoint
    if target.model.kind is not endpoint.kind or spoken(target.upstream.dialects, endpoint) is None:
        return Exclusion.KIND
    if not is_allowed(target, caller):
        return Exclusion.NOT_ALLOWED
    if not wanted.needs <= target.model.capabilities:
        return Exclusion.INCAPABLE
    return None if target.upstream.left_out is None else Exclusion.LEFT_OUT


def is_allowed(target: Target, caller: Caller) -> bool:
    """Whether one of the key's globs covers the target's name."""
    return any(glob == "*" or fnmatchcase(target.name, glob) for glob in caller.models)


def listed(routes: Routes, caller: Caller) -> dict[str, str]:
    """What `/v1/models` shows this caller: name -> owner. Wildcards have no names to list.

    What only a left-out upstream could serve is not shown.
    """

    def allowed(names: Iterable[str]) -> bool:
        targets = (target for name in names if (target := routes.target(name)) is not None)
        return any(is_allowed(target, caller) and target.upstream.left_out is None for target in targets)

    tiers = [name for name, groups in routes.tiers.items() if allowed(model for group in groups for model in group)]
    models = {
        name: model.upstream.name
        for name, model in routes.models.items()
        if not name.endswith("*") and allowed([name, *model.fallbacks])
    }
    found = dict.fromkeys(tiers, "gateway")
    if any(tier in found for tier in routes.complexity.values()):
        found[AUTO] = "gateway"
    found |= {alias: "gateway" for alias, name in routes.aliases.items() if name in found or allowed([name])}
    return found | models
