"""Hosts, ports, URLs and networks: each parses its text, or raises ValueError with a sentence that quotes nothing."""

import ipaddress
import re
from typing import NamedTuple

from gateway.config.interpolation import Unset
from gateway.core.settings import Network

MEMORY = "memory://"
REDIS = re.compile(r"rediss?://(?:([^/?#]*)@)?([^/?#@]*)(?:/([^?#]*))?(.*)", re.DOTALL)
ENCODED = r"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})"


class BaseUrl(NamedTuple):
    host: str
    port: int
    tls: bool
    path: str


class Address(NamedTuple):
    host: str
    port: int


def text_of(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    return value


def _numeric_host(host: str) -> bool:
    """Whether a URL parser would read it as IPv4 (WHATWG URL, 3.5: the last label is a number)."""
    last = host.rstrip(".").rpartition(".")[2]
    return last.isdigit() or re.fullmatch(r"0[xX][0-9a-fA-F]*", last) is not None


def _host(text: str) -> str:
    """A host name, an IPv4 address or a bracketed IPv6 address; the brackets are taken off."""
    if text.startswith("["):
        if not text.endswith("]") or "%" in text:
            raise ValueError
        return str(ipaddress.IPv6Address(text[1:-1]))
    if _numeric_host(text):
        return str(ipaddress.IPv4Address(text))
    label = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
    if len(text) > 253 or not re.fullmatch(rf"{label}(?:\.{label})*\.?", text, re.ASCII):
        raise ValueError
    return text.lower()


def _authority(text: str, default_port: int | None) -> Address:
    """`host[:port]`; the port is needed where there is no default."""
    match = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]+)(?::([0-9]{1,5}))?", text, re.ASCII)
    port = default_port if match is None or match[2] is None else int(match[2])
    if match is None or port is None or port > 65535:
        raise ValueError
    return Address(_host(match[1]), port)


def base_url(value: object) -> BaseUrl:
    if isinstance(value, Unset):
        return BaseUrl("", 0, False, "")
    match = re.fullmatch(r"(https?)://([^/?#]*)([^?#]*)(.*)", text_of(value), re.IGNORECASE | re.DOTALL)
    if match is None:
        raise ValueError("must be an http:// or https:// URL")
    scheme, authority, path, rest = match.groups()
    if "@" in authority:
        raise ValueError("must not carry a user name or password: use api_key or headers")
    if rest:
        raise ValueError("must not have a query or a fragment")
    if not re.fullmatch(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*", path):
        raise ValueError("has a character in its path that must be percent-encoded")
    tls = scheme.lower() == "https"
    try:
        host, port = _authority(authority, 443 if tls else 80)
    except ValueError:
        raise ValueError("has no valid host and port") from None
    if port == 0:
        raise ValueError("must not have port 0")
    if _forbidden(host):
        raise ValueError("must not have a link-local or multicast address")
    return BaseUrl(host, port, tls, path.rstrip("/"))


def store_url(value: object) -> str:
    """The URL as it is: the client of the store takes it apart."""
    text = str(text_of(value))
    if text == MEMORY:
        return text
    match = REDIS.fullmatch(text)
    if match is None:
        raise ValueError("must be memory://, redis://host or rediss://host")
    user, authority, database, rest = match.groups()
    if user is not None and not re.fullmatch(f"{ENCODED}*:(?:{ENCODED}|:)+", user):
        raise ValueError("has credentials that are not user:password, or :password, percent-encoded")
    if rest:
        raise ValueError("must not have a query or a fragment")
    try:
        port = _authority(authority, 6379).port
    except ValueError:
        raise ValueError("has no valid host and port (what is before the @ must be percent-encoded)") from None
    if port == 0:
        raise ValueError("must not have port 0")
    if database and not re.fullmatch(r"[0-9]{1,4}", database, re.ASCII):
        raise ValueError("must end in /number, the number of a database, or in nothing")
    return text


def _forbidden(host: str) -> bool:
    """Link-local is where clouds keep instance credentials (169.254.169.254)."""
    if not (":" in host or _numeric_host(host)):
        return False
    address = ipaddress.ip_address(host)
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped.is_link_local or mapped.is_multicast


def address(value: object) -> Address:
    try:
        return _authority(text_of(value), None)
    except ValueError:
        raise ValueError("must be host:port, such as 127.0.0.1:8080 or [::1]:8080") from None


def network(value: object) -> Network:
    text = text_of(value)
    try:
        net = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError("must be a network such as 10.0.0.0/8, or an IP address") from None
    if "/" in text and net.network_address != ipaddress.ip_address(text.partition("/")[0]):
        raise ValueError(f"has bits set after its prefix (did you mean '{net}'?)")
    return net


def origin(value: object) -> str:
    text = text_of(value)
    scheme, separator, rest = text.partition("://")
    if text == "*":
        return text
    try:
        if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
            raise ValueError
        host, port = _authority(rest, 0)
    except ValueError:
        raise ValueError("must be * or an origin such as https://app.example.com or http://localhost:3000") from None
    bracketed = f"[{host}]" if ":" in host else host
    return f"{scheme.lower()}://{bracketed}" + (f":{port}" if port else "")
