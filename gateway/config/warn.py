"""What can be lived with, and is hardly meant."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from gateway.config import schema
from gateway.config.faults import shown
from gateway.config.findings import Findings
from gateway.config.rules import LeftOut
from gateway.core.call import Endpoint
from gateway.core.limits import Limits
from gateway.core.route import Routes


def warn(
    spec: schema.FileSpec, left_out: LeftOut, routes: Routes, limits: Mapping[str, Limits], findings: Findings
) -> None:
    _empty_tiers(routes, findings)
    _idle_globs(spec, left_out, routes, findings)
    _small_buckets(spec, routes, limits, findings)


def _empty_tiers(routes: Routes, findings: Findings) -> None:
    for name, groups in routes.tiers.items():
        targets = (routes.target(member) for group in groups for member in group)
        if all(target is None or target.upstream.left_out for target in targets):
            message = "is empty, as all its upstreams are left out: a request for it is answered with 503"
            findings.warn(("tiers", name), message, at_key=True)


def _idle_globs(spec: schema.FileSpec, left_out: LeftOut, routes: Routes, findings: Findings) -> None:
    known: dict[str, bool] = {}
    for index, key in enumerate(spec.keys):
        if ("keys", index) in left_out:
            continue
        for position, glob in enumerate(key.models):
            if glob not in known:
                known[glob] = _matches_any(glob, routes)
            if not known[glob]:
                hint = " (tiers and aliases do not count)" if glob in routes.tiers or glob in routes.aliases else ""
                findings.warn(("keys", index, "models", position), f"matches no model{hint}")


def _matches_any(glob: str, routes: Routes) -> bool:
    """Whether the glob matches a model's name, or any name that a wildcard covers."""
    literal, star, _ = glob.partition("*")
    if not star:
        return routes.target(glob) is not None
    return any(
        name[:-1].startswith(literal) or literal.startswith(name[:-1])
        if name.endswith("*")
        else fnmatchcase(name, glob)
        for name in routes.models
    )


def _small_buckets(spec: schema.FileSpec, routes: Routes, limits: Mapping[str, Limits], findings: Findings) -> None:
    """Tokens are reserved before a call, so a bucket that never holds a model's longest answer refuses it for ever."""
    for index, key in enumerate(spec.keys):
        rate = limits[key.limits].tokens if key.limits is not None else None
        if rate is None:
            continue
        models = (
            model for model in routes.models.values() if any(fnmatchcase(model.name, glob) for glob in key.models)
        )
        chats = [model for model in models if model.kind is Endpoint.CHAT]
        found = [model for model in chats if not rate.ever_holds(model.longest_answer)]
        if found:
            more = f" and of {len(found) - 1} more" if found[1:] else ""
            message = (
                f"never holds more than {rate.burst} tokens: calls of '{shown(found[0].name)}'{more} that set no "
                f"max_completion_tokens reserve {found[0].longest_answer} and are refused (see `defaults` of a model)"
            )
            findings.warn(("keys", index, "limits"), message)
