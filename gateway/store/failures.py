"""What goes wrong with a shared store, as a closed set; Redis's own words are read here and nowhere else."""

import enum
from dataclasses import dataclass

from gateway.store.resp import ErrorReply


class Kind(enum.Enum):
    """The value is the label in metrics and the field in logs."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    PROTOCOL = "protocol"
    READONLY = "readonly"
    OOM = "oom"
    MISCONF = "misconf"
    LOADING = "loading"
    BUSY = "busy"
    AUTH = "auth"
    WRONGTYPE = "wrongtype"
    SCRIPT = "script"
    DROPPED = "dropped"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer to a command. `unknown` says that Redis may have run it, or may yet run it."""

    kind: Kind
    unknown: bool = False


class Unlinked(Exception):
    """There is no connection to the shared store."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind.value)
        self.kind = kind


class StoreRefused(OSError):
    """The shared store answers, and will not serve the gateway as it is configured."""


# The first word of an error reply (https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors).
_CODES = {
    b"READONLY": Kind.READONLY,
    b"OOM": Kind.OOM,
    b"MISCONF": Kind.MISCONF,
    b"LOADING": Kind.LOADING,
    b"BUSY": Kind.BUSY,
    b"UNKILLABLE": Kind.BUSY,
    b"NOAUTH": Kind.AUTH,
    b"NOPERM": Kind.AUTH,
    b"WRONGPASS": Kind.AUTH,
    b"WRONGTYPE": Kind.WRONGTYPE,
    b"CLUSTERDOWN": Kind.OTHER,
    b"MASTERDOWN": Kind.OTHER,
    b"NOREPLICAS": Kind.OTHER,
}

# Of one key or one script, not of the server: no policy is meant for these.
UNEXPECTED = frozenset({Kind.WRONGTYPE, Kind.SCRIPT})

# The server serves nothing at the moment: a new connection may find another server, or the same one well again.
# Not OOM: calls still end and leases are still renewed while it lasts.
RELINK = frozenset({Kind.READONLY, Kind.MISCONF, Kind.LOADING, Kind.BUSY, Kind.AUTH, Kind.OTHER})

# The one loss that is told in words.
_NO_ROOM = b"ERR max number of clients reached"


def is_unknown_script(error: ErrorReply) -> bool:
    """It was not run, and has to be loaded."""
    return error.text.startswith(b"NOSCRIPT")


def kind_of_reply(error: ErrorReply, otherwise: Kind) -> Kind:
    """`otherwise` if it has no code that says more."""
    if error.text.startswith(_NO_ROOM):
        return Kind.CONNECTION
    return _CODES.get(error.text.partition(b" ")[0], otherwise)
