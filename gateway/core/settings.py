"""The one frozen value that a configuration file becomes; a call keeps the one it began with."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

from gateway.core.call import Caller
from gateway.core.route import Routes

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How the gateway listens; times in seconds, 0 = off where the documentation says so."""

    host: str
    port: int
    max_body_bytes: int
    body_timeout: float
    header_timeout: float
    keepalive_timeout: float
    keep_alive_interval: float
    write_timeout: float
    total_timeout: float
    metrics_allow: tuple[Network, ...]
    trusted_proxies: tuple[Network, ...]
    cors_origins: tuple[str, ...]
    workers: int = 1
    drain_timeout: float = 300.0


class OnError(enum.Enum):
    """What becomes of a call that the store can't decide on."""

    LOCAL = "local"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where limits are kept: `memory://`, `redis://…` or `rediss://…` (which may hold a password).

    `replicas` gateways share it; times in seconds.
    """

    url: str = field(default="memory://", repr=False)
    on_error: OnError = OnError.LOCAL
    replicas: int = 1
    timeout: float = 0.1
    lease_ttl: float = 30.0


@dataclass(frozen=True, slots=True)
class Config:
    """`version` is a short hash of the file's content; `callers` is by SHA-256 digest of the key."""

    version: str
    server: ServerSettings
    routes: Routes
    callers: Mapping[bytes, Caller]
    store: StoreSettings = StoreSettings()
    warnings: tuple[str, ...] = ()
