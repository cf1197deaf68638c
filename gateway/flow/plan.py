"""model, tier or auto + caller + health -> Plan. Decides, and does nothing: `gateway explain` asks the same."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from random import Random
from typing import NoReturn

from gateway.core.call import Ask, Call, Caller, Endpoint
from gateway.core.errors import InvalidValue, ModelNotAllowed, ModelNotFound, NoAvailableUpstream
from gateway.core.route import Exclusion, Plan, Routes, Target
from gateway.state.health import Health
from gateway.wire.headers import MIN_COOLDOWN, is_name, retry_headers

AUTO = "auto"
COMPLEXITIES = ("simple", "medium", "complex")
DEFAULT_COMPLEXITY = "medium"
ILL = (Exclusion.COOLDOWN, Exclusion.BREAKER_OPEN)


class Planner:
    """The routing half of one configuration, the health of its targets, and the dice for equals."""

    def __init__(self, routes: Routes, health: Health, random: Random) -> None:
        self._routes = routes
        self._health = health
        self._random = random

    def plan(self, call: Call, ask: Ask, caller: Caller, now: float) -> Plan:
        """The targets to try, best first. Raises what `refuse_empty` does, and InvalidValue for an unknown hint."""
        plan = self.consider(call.endpoint, ask, caller, now)
        if not plan.targets:
            self.refuse_empty(plan, now)
        return plan

    def consider(self, endpoint: Endpoint, ask: Ask, caller: Caller, now: float) -> Plan:
        """The whole decision, also where it leaves no target. Raises ModelNotFound, InvalidValue."""
        complexity = self._complexity(ask)
        name, groups = self._resolve(ask.model, complexity)
        preferred: Target | None = None
        targets: list[Target] = []
        excluded: list[tuple[Target, Exclusion]] = []
        for target in self._preferred(self._ordered(groups), ask.provider):
            reason = self._exclusion(target, endpoint, caller, now)
            if reason is None or reason in ILL:
                preferred = preferred or target
            if reason is None:
                targets.append(target)
            else:
                excluded.append((target, reason))
        tier = name if name in self._routes.tiers else None
        used = complexity if ask.model == AUTO else None
        return Plan(tier, used, preferred, tuple(targets), tuple(excluded))

    def refuse_empty(self, plan: Plan, now: float) -> NoReturn:
        """Raises ModelNotFound, ModelNotAllowed or NoAvailableUpstream: the exclusion that came nearest to serving."""
        reasons = {reason for _, reason in plan.excluded}
        if reasons == {Exclusion.KIND}:
            raise ModelNotFound(param="model")
        if reasons <= {Exclusion.KIND, Exclusion.NOT_ALLOWED}:
            raise ModelNotAllowed(param="model")
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

    def _ordered(self, groups: Iterable[tuple[str, ...]]) -> Iterator[Target]:
        """Group after group; equals in random order, each as likely to come first as it weighs."""
        for group in groups:
            targets = [target for name in group if (target := self._routes.target(name)) is not None]
            if len(targets) > 1:
                targets.sort(key=lambda target: self._random.expovariate(target.model.weight))
            yield from targets

    def _preferred(self, targets: Iterable[Target], provider: str | None) -> list[Target]:
        if provider is None:
            return list(targets)
        if provider not in self._routes.upstreams:
            raise InvalidValue("`provider` is not the name of an upstream.", param="provider")
        return sorted(targets, key=lambda target: target.upstream.name != provider)

    def _exclusion(self, target: Target, endpoint: Endpoint, caller: Caller, now: float) -> Exclusion | None:
        if target.model.kind is not endpoint:
            return Exclusion.KIND
        if not is_allowed(target, caller):
            return Exclusion.NOT_ALLOWED
        if target.upstream.left_out is not None:
            return Exclusion.LEFT_OUT
        return self._health.exclusion(target, now)


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
