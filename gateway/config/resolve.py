"""Specs without a fault become the frozen value."""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from gateway.config import schema
from gateway.config.findings import Findings
from gateway.config.interpolation import not_set
from gateway.config.rules import LeftOut
from gateway.config.values import MAX_WORKERS
from gateway.config.warn import warn
from gateway.core.call import Caller, Capability, Kind
from gateway.core.limits import Budget, Limits, Period, Rate
from gateway.core.route import ALL_CAPABILITIES, Model, Price, Routes, Upstream
from gateway.core.settings import Config, OnError, ServerSettings, StoreSettings


def resolve(
    spec: schema.FileSpec, left_out: LeftOut, digests: Mapping[bytes, int], version: str, findings: Findings
) -> Config:
    """`digests` are those of the usable keys, with the key's index."""
    for path, names in left_out.items():
        findings.warn(path, f"is left out: {not_set(names)}", at_key=True)
    routes = _routes(spec, left_out)
    limits = {name: _limits(name, entry) for name, entry in spec.limits.items()}
    warn(spec, left_out, routes, limits, findings)
    globs: dict[tuple[str, ...], tuple[str, ...]] = {}
    callers = {digest: _caller(digest, spec.keys[index], limits, globs) for digest, index in digests.items()}
    return Config(
        version=version,
        server=_server(spec.server),
        routes=routes,
        callers=MappingProxyType(callers),
        store=_store(spec.store),
        warnings=findings.warnings,
    )


def _server(spec: schema.ServerSpec) -> ServerSettings:
    return ServerSettings(
        host=spec.listen.host,
        port=spec.listen.port,
        max_body_bytes=spec.max_body_bytes,
        body_timeout=spec.body_timeout,
        header_timeout=spec.header_timeout,
        keepalive_timeout=spec.keepalive_timeout,
        keep_alive_interval=spec.keep_alive_interval,
        write_timeout=spec.write_timeout,
        total_timeout=spec.total_timeout,
        metrics_allow=tuple(spec.metrics_allow),
        trusted_proxies=tuple(spec.trusted_proxies),
        cors_origins=tuple(spec.cors_origins),
        workers=resolved_workers(spec.workers, len(os.sched_getaffinity(0))),
        drain_timeout=spec.drain_timeout,
    )


def resolved_workers(workers: int | Literal["auto"], cores: int) -> int:
    return min(cores, MAX_WORKERS) if workers == "auto" else workers


def _store(spec: schema.StoreSpec) -> StoreSettings:
    return StoreSettings(
        url=spec.url,
        on_error=OnError(spec.on_error),
        replicas=spec.replicas,
        timeout=spec.timeout,
        lease_ttl=spec.lease_ttl,
    )


def _routes(spec: schema.FileSpec, left_out: LeftOut) -> Routes:
    upstreams = {name: _upstream(name, entry, left_out) for name, entry in spec.upstreams.items()}
    models = {
        name: _model(name, entry, upstreams[entry.upstream], spec.model_defaults) for name, entry in spec.models.items()
    }
    tiers = {name: tuple(tuple(group) for group in groups) for name, groups in spec.tiers.items()}
    levels = spec.complexity.model_dump().items()
    return Routes(
        upstreams=MappingProxyType(upstreams),
        models=MappingProxyType(models),
        tiers=MappingProxyType(tiers),
        aliases=MappingProxyType(_followed(spec.aliases)),
        complexity=MappingProxyType({level: tier for level, tier in levels if tier in tiers}),
    )


def _upstream(name: str, spec: schema.UpstreamSpec, left_out: LeftOut) -> Upstream:
    unset = left_out.get(("upstreams", name))
    return Upstream(
        name=name,
        host=spec.base_url.host,
        port=spec.base_url.port,
        tls=spec.base_url.tls,
        base_path=spec.base_url.path,
        dialects=tuple(spec.dialect),
        api_version=spec.api_version,
        api_key=None if unset else spec.api_key,
        headers=() if unset else tuple(spec.headers.items()),
        connect_timeout=spec.connect_timeout,
        max_connections=spec.max_connections,
        stream_usage=spec.stream_usage,
        left_out=not_set(unset) if unset else None,
    )


def _model(name: str, spec: schema.ModelSpec, upstream: Upstream, defaults: schema.ModelDefaultsSpec) -> Model:
    price = spec.price
    return Model(
        name=name,
        upstream=upstream,
        remote=spec.name or name,
        kind=Kind(spec.kind),
        capabilities=ALL_CAPABILITIES if spec.capabilities is None else frozenset(map(Capability, spec.capabilities)),
        context_window=spec.context_window,
        max_output_tokens=spec.max_output_tokens,
        price=Price(price.input, price.cached_input, price.output) if price else None,
        first_byte_timeout=spec.first_byte_timeout or defaults.first_byte_timeout,
        idle_timeout=spec.idle_timeout or defaults.idle_timeout,
        timeout=spec.timeout or defaults.timeout,
        max_retries=defaults.max_retries if spec.max_retries is None else spec.max_retries,
        defaults=MappingProxyType(spec.defaults),
        fallbacks=tuple(spec.fallbacks),
        weight=spec.weight,
    )


def _followed(aliases: Mapping[str, str]) -> dict[str, str]:
    """Each alias with the tier or model at its end; a chain is walked once, however long."""
    ends: dict[str, str] = {}
    for start in aliases:
        chain = []
        name = start
        while name in aliases and name not in ends:
            chain.append(name)
            name = aliases[name]
        ends |= dict.fromkeys(chain, ends.get(name, name))
    return ends


def _limits(name: str, spec: schema.LimitsSpec) -> Limits:
    return Limits(
        name=name,
        requests=_rate(spec.requests_per_minute, spec.request_burst),
        tokens=_rate(spec.tokens_per_minute, spec.token_burst),
        streams=spec.concurrent_streams,
        budget=Budget(spec.budget.usd, Period(spec.budget.period)) if spec.budget else None,
    )


def _rate(per_minute: int | None, burst: int | None) -> Rate | None:
    return Rate(per_minute, burst or per_minute) if per_minute else None


def _caller(
    digest: bytes, spec: schema.KeySpec, limits: Mapping[str, Limits], globs: dict[tuple[str, ...], tuple[str, ...]]
) -> Caller:
    """`globs` are those of the callers before it: there are many callers, and few lists of models."""
    models = tuple(spec.models)
    return Caller(
        id=digest[:8].hex(),
        name=spec.name,
        models=globs.setdefault(models, models),
        limits=limits[spec.limits] if spec.limits is not None else None,
        expires=spec.expires,
        disabled=spec.disabled,
    )
