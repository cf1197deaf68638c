"""What the fields of an entry say of one another, and whether enough upstreams and keys can be used."""

import hashlib
import re
from collections.abc import Mapping

from gateway.config.addresses import MEMORY
from gateway.config.faults import Path
from gateway.config.findings import Findings
from gateway.config.interpolation import Unset, not_set
from gateway.config.references import Section, section
from gateway.config.values import HEX64, number, workers

MIN_KEY = 20
SHA256 = re.compile(HEX64, re.ASCII)
# The header that api_key is sent in, by dialect.
CREDENTIALS = {
    "openai": "authorization",
    "azure": "api-key",
    "anthropic": "x-api-key",
    "gemini": "x-goog-api-key",
    "responses": "authorization",
}
RATES = {"request_burst": "requests_per_minute", "token_burst": "tokens_per_minute"}

LeftOut = Mapping[Path, list[str]]


def check_store(data: Section, findings: Findings) -> None:
    """Limits in memory are each process's own, so there can be only one. `auto` counts as many on any machine."""
    server, store = section(data, "server") or {}, section(data, "store") or {}
    if store.get("url", MEMORY) != MEMORY:
        return
    message = f"must be 1 as long as store.url is {MEMORY}, which no two processes share: use redis://"
    try:
        if workers(server.get("workers", 1)) != 1:
            findings.fault(("server", "workers"), message)
    except ValueError:
        pass  # A fault of the field itself.
    replicas = number(store.get("replicas"))
    if type(replicas) is int and replicas > 1:
        findings.fault(("store", "replicas"), message)


def check_limits(data: Section, findings: Findings) -> None:
    for name, entry in (section(data, "limits") or {}).items():
        if entry == {}:
            findings.fault(("limits", name), "limits nothing (a key without limits says so by having none)")
        for burst, rate in RATES.items():
            if isinstance(entry, dict) and burst in entry and rate not in entry:
                findings.fault(("limits", name, burst), f"needs {rate}: it is how much of that comes at once")


def check_upstreams(data: Section, left_out: LeftOut, findings: Findings) -> None:
    upstreams = section(data, "upstreams", required=True) or {}
    for name, entry in upstreams.items():
        if not isinstance(entry, dict):
            continue
        if isinstance(headers := entry.get("headers"), dict):
            _check_headers(("upstreams", name, "headers"), headers, entry, findings)
        if "azure" in _dialects(entry) and "api_version" not in entry:
            findings.fault(("upstreams", name), "needs api_version: Azure does not answer without one")
    if upstreams and all(("upstreams", name) in left_out for name in upstreams):
        _unusable("upstream", [left_out["upstreams", name] for name in upstreams], findings)


def _check_headers(path: Path, headers: Section, entry: Section, findings: Findings) -> None:
    seen: set[str] = set()
    for name in headers:
        if name.lower() in seen:
            findings.fault((*path, name), "is set twice: header names ignore case", at_key=True)
        seen.add(name.lower())
        if "api_key" in entry and any(name.lower() == CREDENTIALS.get(one) for one in _dialects(entry)):
            findings.fault((*path, name), "is what api_key sets: use one of them", at_key=True)


def _dialects(entry: Section) -> list[str]:
    given = entry.get("dialect", "openai")
    return [str(name) for name in given] if isinstance(given, list) else [str(given)]


def digest_of(key: str | None, sha256: str | None) -> bytes:
    """The SHA-256 that the keyring looks up."""
    return bytes.fromhex(sha256) if sha256 is not None else hashlib.sha256((key or "").encode()).digest()


def check_keys(data: Section, left_out: LeftOut, findings: Findings) -> dict[bytes, int]:
    """The keys that can be used, their digests first: their indices, in the order of the file."""
    names: dict[str, int] = {}
    digests: dict[bytes, int] = {}
    keys = data.get("keys")
    if not isinstance(keys, list):
        return digests
    disabled, unset = 0, []
    for index, entry in enumerate(keys):
        if not isinstance(entry, dict):
            continue
        name = entry.get("name")
        if isinstance(name, str) and not isinstance(name, Unset) and (first := names.setdefault(name, index)) != index:
            _twice(index, "name", (first, "name"), "is the name of another key", findings)
        if ("keys", index) in left_out:
            unset.append(left_out["keys", index])
            continue
        disabled += entry.get("disabled") is True
        digest = _check_key(entry, index, findings)
        if digest is not None and (first := digests.setdefault(digest, index)) != index:
            place = first, _secret(keys[first])
            _twice(index, _secret(entry), place, "is the same key as that of another entry", findings)
    if keys and len(unset) + disabled == len(keys):
        _unusable("key", unset, findings)
    return digests


def _secret(entry: Section) -> str:
    return "key" if "key" in entry else "sha256"


def _twice(index: int, field: str, first: tuple[int, str], message: str, findings: Findings) -> None:
    line = findings.line(("keys", *first))
    findings.fault(("keys", index, field), f"{message}: keys[{first[0]}], on line {line}")


def _check_key(entry: Section, index: int, findings: Findings) -> bytes | None:
    """The digest, if it can be told."""
    key, sha256 = entry.get("key"), entry.get("sha256")
    if ("key" in entry) == ("sha256" in entry):
        both = "has both key and sha256: give one of them" if "key" in entry else "needs either key or sha256"
        findings.fault(("keys", index), both)
    if isinstance(key, str):
        if len(key) < MIN_KEY:
            findings.fault(("keys", index, "key"), f"must have at least {MIN_KEY} characters")
        return digest_of(key, None)
    if isinstance(sha256, str) and SHA256.fullmatch(sha256):
        return digest_of(None, sha256)
    return None


def _unusable(kind: str, unset: list[list[str]], findings: Findings) -> None:
    names = list(dict.fromkeys(name for group in unset for name in group))
    reason = not_set(names) if names else "all are disabled"
    findings.fault((f"{kind}s",), f"has no usable {kind}: {reason}", at_key=True)
