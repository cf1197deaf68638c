"""The one frozen value that a configuration file becomes; a call keeps the one it began with."""

from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Config:
    """`version` is a short hash of the file's content; `callers` is by SHA-256 digest of the key."""

    version: str
    server: ServerSettings
    routes: Routes
    callers: Mapping[bytes, Caller]
    warnings: tuple[str, ...] = ()
