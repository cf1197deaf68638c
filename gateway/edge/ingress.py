"""HTTP head -> Call."""

from ipaddress import ip_address

from gateway.core.call import Call, Endpoint
from gateway.core.errors import ExpectationFailed
from gateway.core.settings import Network
from gateway.edge.request import Request
from gateway.wire.form import FORMS
from gateway.wire.headers import Fields, forwarded

MAX_RETRY_COUNT = 99


def read_call(request: Request, endpoint: Endpoint, stored: str, started: float, trusted: tuple[Network, ...]) -> Call:
    """`stored` is what is asked of a stored response; `trusted` are the proxies that may tell who asked."""
    fields = request.fields
    return Call(
        request.id,
        request.request_id,
        endpoint,
        started,
        read_peer(request, trusted) if trusted else request.peer,
        read_keys(fields),
        _text(fields[b"x-complexity"]) if b"x-complexity" in fields else None,
        _text(fields[b"x-provider"]) if b"x-provider" in fields else None,
        _read_count(fields[b"x-stainless-retry-count"]) if b"x-stainless-retry-count" in fields else 0,
        forwarded(fields),
        _text(fields[b"content-type"]) if endpoint in FORMS and b"content-type" in fields else "",
        stored,
    )


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _read_count(value: bytes) -> int:
    return min(int(value), MAX_RETRY_COUNT) if value.isdigit() and len(value) < 4 else 0


def read_keys(fields: Fields) -> tuple[bytes, ...]:
    """What came in `Authorization: Bearer` and `x-api-key`; the same key in both counts once, other schemes never."""
    values = fields.get(b"authorization", b"").split(b"\n")
    keys = [key for value in values if value[:7].lower() == b"bearer " and (key := value[7:].strip())]
    if b"x-api-key" in fields:
        keys += [key for value in fields[b"x-api-key"].split(b"\n") if (key := value.strip()) not in keys]
    return tuple(keys)


def read_peer(request: Request, trusted: tuple[Network, ...]) -> str:
    """The client's address for the log: behind a trusted proxy, the last hop that is not one of them."""
    peer = request.peer
    if not is_in(peer, trusted):
        return peer
    hops = request.fields.get(b"x-forwarded-for", b"").decode("latin-1").replace("\n", ",").split(",")
    for hop in map(str.strip, reversed(hops)):
        if not _is_address(hop):
            break
        peer = hop
        if not is_in(hop, trusted):
            break
    return peer


def is_in(address: str, networks: tuple[Network, ...]) -> bool:
    """Whether an IP address lies in one of the networks; an IPv4 address mapped into IPv6 counts as IPv4."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return any((mapped or ip) in network for network in networks)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def check_expectation(expectation: bytes) -> None:
    """Raises ExpectationFailed for any but `100-continue`."""
    if expectation.lower() != b"100-continue":
        raise ExpectationFailed
