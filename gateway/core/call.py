"""One client request under way: the call, who makes it, and what it asks for."""

import enum
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.core.limits import Limits


class Endpoint(enum.StrEnum):
    """The proxied endpoints; the value is the route's name in metrics and logs."""

    CHAT = "chat"
    EMBEDDINGS = "embeddings"


class Call(msgspec.Struct, frozen=True):
    """The head of a request, before anything of its body is read.

    `id` is 128 random bits made by the gateway and keys everything that is held or paid;
    `request_id` may be the client's own and is only ever shown.
    """

    id: str
    request_id: str
    endpoint: Endpoint
    started: float
    peer: str
    keys: tuple[bytes, ...]
    complexity: str | None
    provider: str | None
    retry_count: int
    forward: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a key belongs to. `models` are globs over the names of targets; `expires` is wall-clock seconds."""

    id: str
    name: str
    models: tuple[str, ...]
    limits: Limits | None = None
    expires: float | None = None
    disabled: bool = False


class Ask(msgspec.Struct, frozen=True):
    """What the body asks for. `fields` are the body's own members, each still in the bytes it came in.

    They are as large as the body, and emptied once the first byte is out: a stream of an hour needs them no more.
    `prompt_tokens` is an estimate; `max_tokens` is what the caller set, None otherwise.
    """

    model: str
    fields: dict[str, Any]
    stream: bool = False
    include_usage: bool = False
    complexity: str | None = None
    provider: str | None = None
    prompt_tokens: int = 0
    max_tokens: int | None = None
    n: int = 1
