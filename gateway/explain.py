"""Why a call would go where it would go: the live path's own decision, in words."""

import random
import time
from collections.abc import Iterator

from gateway.core.call import Ask, Caller, Capability, Endpoint
from gateway.core.errors import Refusal
from gateway.core.limits import Limits, Rate
from gateway.core.route import Exclusion, Plan, Target
from gateway.core.settings import Config
from gateway.flow.authenticate import authorize
from gateway.flow.plan import Planner
from gateway.state.health import Health

ANYBODY = Caller("", "anybody", ("*",))


def explain(config: Config, ask: Ask, endpoint: Endpoint, key: str | None) -> tuple[str, bool]:
    """The text, and whether the call would be tried at all. `key` is a key's name; without one, a key that may do all.

    Raises KeyError if there is no such key.
    """
    callers = {caller.name: caller for caller in config.callers.values()}
    caller = ANYBODY if key is None else callers[key]
    planner = Planner(config.routes, Health(), random.Random())  # noqa: S311 - for spreading load
    now = time.monotonic()
    lines = [f"model {ask.model!r} asked for by {caller.name} on {endpoint}"]
    if caller.limits is not None:
        lines.append(f"  limits {caller.limits.name}: {', '.join(_limited(caller.limits))}")
    try:
        authorize(caller, time.time())
        plan = planner.consider(endpoint, ask, caller, now)
        lines += _told(plan, ask.needs)
        if not plan.targets:
            planner.refuse_empty(plan, now)
    except Refusal as refusal:
        return "\n".join([*lines, f"refused: {refusal.status} {refusal.code}: {refusal.message}"]), False
    return "\n".join(lines), True


def _limited(limits: Limits) -> Iterator[str]:
    if limits.requests is not None:
        yield _rated(limits.requests, "requests")
    if limits.tokens is not None:
        yield _rated(limits.tokens, "tokens")
    if limits.streams is not None:
        yield f"{limits.streams} streams"
    if limits.budget is not None:
        usd = f"{limits.budget.micro_usd / 1e6:.6f}".rstrip("0").rstrip(".")
        yield f"${usd} a {limits.budget.period.value}"


def _rated(rate: Rate, units: str) -> str:
    burst = "" if rate.burst == rate.per_minute else f" (burst {rate.burst})"
    return f"{rate.per_minute} {units}/min{burst}"


def _told(plan: Plan, wanted: frozenset[Capability]) -> Iterator[str]:
    if plan.complexity is not None:
        yield f"  complexity {plan.complexity}"
    if plan.tier is not None:
        yield f"  tier {plan.tier}"
    for place, target in enumerate(plan.targets, 1):
        yield f"  {place}. {_described(target)}"
    for target, reason in plan.excluded:
        needs = f": {', '.join(sorted(wanted - target.model.capabilities))}" if reason is Exclusion.INCAPABLE else ""
        yield f"  -  {target}: left out: {reason.value}{needs}"


def _described(target: Target) -> str:
    model = target.model
    renamed = f" as {target.remote!r}" if target.remote != target.name else ""
    first, idle, whole = (f"{s:g}s" for s in (model.first_byte_timeout, model.idle_timeout, model.timeout))
    spoken = model.upstream.dialects
    dialect = "" if spoken == ("openai",) else f" speaking {', '.join(spoken)}"
    return (
        f"{target}{renamed}{dialect}: first byte within {first}, silent for at most {idle}, all within {whole},"
        f" retried {model.max_retries} times, weight {model.weight:g}"
    )
