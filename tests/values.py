"""Frozen values with everything filled in: a test names only what it is about."""

from typing import Any

import msgspec

from gateway.core.call import Ask, Call, Caller, Endpoint
from gateway.core.route import Model, Target, Upstream

MESSAGES = msgspec.Raw(b'[{"role":"user"}]')


def make_upstream(name: str = "first", **fields: Any) -> Upstream:
    return Upstream(**{"name": name, "host": "127.0.0.1", "port": 9, "tls": False, "base_path": "/v1", **fields})


def make_model(name: str = "gpt", upstream: Upstream | None = None, **fields: Any) -> Model:
    return Model(**{"name": name, "upstream": upstream or make_upstream(), "remote": name, **fields})


def make_target(name: str = "gpt", upstream: Upstream | None = None, **fields: Any) -> Target:
    model = make_model(name, upstream, **fields)
    return Target(name, model.remote, model)


def make_call(**fields: Any) -> Call:
    given = {
        "id": "0123456789abcdef0123456789abcdef",
        "request_id": "req-1",
        "endpoint": Endpoint.CHAT,
        "started": 100.0,
        "peer": "127.0.0.1",
        "keys": (),
        "complexity": None,
        "provider": None,
        "retry_count": 0,
        "forward": (),
    }
    return Call(**{**given, **fields})


def make_ask(model: str = "gpt", **fields: Any) -> Ask:
    body = {"model": msgspec.Raw(b'"%b"' % model.encode(errors="surrogatepass")), "messages": MESSAGES}
    return Ask(**{"model": model, "fields": body, **fields})


def make_caller(**fields: Any) -> Caller:
    return Caller(**{"id": "caller-1", "name": "tester", "models": ("*",), **fields})
