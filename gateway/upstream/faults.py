"""The one table from what sockets and TLS raise to faults of an attempt."""

from gateway.core.fault import ConnectFault, ConnectTimeoutFault, Fault, ProtocolFault

# Looked up in order: a TimeoutError is an OSError (as is what TLS raises), a UnicodeError a ValueError.
CONNECT_FAULTS: tuple[tuple[type[BaseException], type[Fault]], ...] = (
    (TimeoutError, ConnectTimeoutFault),
    (OSError, ConnectFault),
    (UnicodeError, ConnectFault),  # a host name that IDNA refuses
    (ValueError, ProtocolFault),
)


def connect_fault(error: BaseException) -> Fault:
    """The fault that an error of connecting amounts to. Errors outside the table are ours, and raised again."""
    for kind, fault in CONNECT_FAULTS:
        if isinstance(error, kind):
            return fault()
    raise error
