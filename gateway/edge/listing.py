"""What a key may use: `/v1/models`, `/v1/models/{id}` and `/v1/key`."""

import time
from datetime import UTC, datetime

import msgspec

from gateway.core.call import Caller
from gateway.core.errors import ModelNotFound
from gateway.core.limits import Limits, Rate, Use
from gateway.core.route import Routes
from gateway.flow.plan import is_allowed, listed
from gateway.wire.headers import is_name

_STARTED = int(time.time())


def models(routes: Routes, caller: Caller) -> bytes:
    data = [_model(name, owner) for name, owner in listed(routes, caller).items()]
    return msgspec.json.encode({"object": "list", "data": data})


def anthropic_models(routes: Routes, caller: Caller) -> bytes:
    """All of them, on one page."""
    data = [_anthropic_model(name) for name in listed(routes, caller)]
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return msgspec.json.encode({"data": data, "has_more": False, "first_id": first, "last_id": last})


def model(routes: Routes, caller: Caller, name: str) -> bytes:
    """Also of a name that only a wildcard covers. Raises ModelNotFound, for one the key may not use as well."""
    return msgspec.json.encode(_model(name, _owner(routes, caller, name)))


def anthropic_model(routes: Routes, caller: Caller, name: str) -> bytes:
    """Raises ModelNotFound, as `model` does."""
    _owner(routes, caller, name)
    return msgspec.json.encode(_anthropic_model(name))


def _owner(routes: Routes, caller: Caller, name: str) -> str:
    owner = listed(routes, caller).get(name)
    if owner is None and is_name(name):
        target = routes.target(name)
        owner = target.upstream.name if target is not None and is_allowed(target, caller) else None
    if owner is None:
        raise ModelNotFound(param="model")
    return owner


def key(caller: Caller, use: Use, wall: float) -> bytes:
    """The caller's own name and limits, and how far they are used; never the key, nor its hash."""
    return msgspec.json.encode(
        {
            "object": "key",
            "name": caller.name,
            "models": list(caller.models),
            "expires": None if caller.expires is None else _moment(datetime.fromtimestamp(caller.expires, UTC)),
            "limits": None if caller.limits is None else _limits(caller.limits, use, wall),
        }
    )


def _limits(limits: Limits, use: Use, wall: float) -> dict[str, object]:
    """What has no limit is left out."""
    told: dict[str, object] = {"name": limits.name}
    if limits.requests is not None:
        told["requests_per_minute"] = _rate(limits.requests, use.requests)
    if limits.tokens is not None:
        told["tokens_per_minute"] = _rate(limits.tokens, use.tokens)
    if limits.streams is not None:
        left = max(0, limits.streams - use.streams)
        told["concurrent_streams"] = {"limit": limits.streams, "used": use.streams, "remaining": left}
    if limits.budget is not None:
        budget = limits.budget
        told["budget"] = {
            "limit_usd": budget.micro_usd / 1e6,
            "spent_usd": use.micro_usd / 1e6,
            "remaining_usd": max(0, budget.micro_usd - use.micro_usd) / 1e6,
            "period": budget.period.value,
            "resets": _moment(budget.period.ends(wall)),
        }
    return told


def _rate(rate: Rate, debt: int) -> dict[str, int | float]:
    """`reset_seconds` is the time until the bucket is full."""
    left = rate.left(debt)
    return {
        "limit": rate.per_minute,
        "burst": rate.burst,
        "used": rate.burst - left,
        "remaining": left,
        "reset_seconds": debt / 1e6,
    }


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _model(name: str, owner: str) -> dict[str, str | int]:
    """`created` is when this process started: models of other people have no date that we know."""
    return {"id": name, "object": "model", "created": _STARTED, "owned_by": owner}


def _anthropic_model(name: str) -> dict[str, str]:
    created = _moment(datetime.fromtimestamp(_STARTED, UTC))
    return {"type": "model", "id": name, "display_name": name, "created_at": created, "lifecycle": "active"}
