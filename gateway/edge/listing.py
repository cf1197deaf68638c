"""What a key may use: `/v1/models`, `/v1/models/{id}` and `/v1/key`."""

import time

import msgspec

from gateway.core.call import Caller
from gateway.core.errors import ModelNotFound
from gateway.core.route import Routes
from gateway.flow.plan import is_allowed, listed
from gateway.wire.headers import is_name

_STARTED = int(time.time())


def models(routes: Routes, caller: Caller) -> bytes:
    data = [_model(name, owner) for name, owner in listed(routes, caller).items()]
    return msgspec.json.encode({"object": "list", "data": data})


def model(routes: Routes, caller: Caller, name: str) -> bytes:
    """Also of a name that only a wildcard covers. Raises ModelNotFound, for one the key may not use as well."""
    owner = listed(routes, caller).get(name)
    if owner is None and is_name(name):
        target = routes.target(name)
        owner = target.upstream.name if target is not None and is_allowed(target, caller) else None
    if owner is None:
        raise ModelNotFound(param="model")
    return msgspec.json.encode(_model(name, owner))


def key(caller: Caller) -> bytes:
    """The caller's own name and limits; never the key, nor its hash."""
    expires = None if caller.expires is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(caller.expires))
    return msgspec.json.encode(
        {
            "object": "key",
            "name": caller.name,
            "models": list(caller.models),
            "limits": caller.limits,
            "expires": expires,
        }
    )


def _model(name: str, owner: str) -> dict[str, str | int]:
    """`created` is when this process started: models of other people have no date that we know."""
    return {"id": name, "object": "model", "created": _STARTED, "owned_by": owner}
