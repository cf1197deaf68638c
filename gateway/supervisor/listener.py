"""Listeners that share a port: the kernel spreads new connections over them, and keeps each one's queue apart."""

import socket

from gateway.edge.server import BACKLOG

Address = tuple[str, int]


def bind_all(address: Address, count: int) -> list[socket.socket]:
    """All on one port, also where 0 means any. Raises OSError, also if another program shares the port already."""
    if address[1]:
        _bind(address, shared=False).close()
    listeners: list[socket.socket] = []
    try:
        for _ in range(count):
            listeners.append(bind(address))
            address = listeners[0].getsockname()[:2]
    except OSError:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def bind(address: Address) -> socket.socket:
    """One more on the port. Of a name's addresses it is the first IPv4 one, else the first. Raises OSError."""
    listener = _bind(address, shared=True)
    listener.listen(BACKLOG)
    return listener


def _bind(address: Address, *, shared: bool) -> socket.socket:
    found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, where = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(where)
    except OSError:
        bound.close()
        raise
    return bound
