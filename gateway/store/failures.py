"""What goes wrong with a shared store, as a closed set; Redis's own words are read here and nowhere else."""

import enum
from dataclasses import dataclass

from redis.exceptions import AuthenticationError, AuthorizationError, InvalidResponse, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError


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
    "READONLY": Kind.READONLY,
    "OOM": Kind.OOM,
    "MISCONF": Kind.MISCONF,
    "LOADING": Kind.LOADING,
    "BUSY": Kind.BUSY,
    "UNKILLABLE": Kind.BUSY,
    "NOAUTH": Kind.AUTH,
    "NOPERM": Kind.AUTH,
    "WRONGPASS": Kind.AUTH,
    "WRONGTYPE": Kind.WRONGTYPE,
    "CLUSTERDOWN": Kind.OTHER,
    "MASTERDOWN": Kind.OTHER,
    "NOREPLICAS": Kind.OTHER,
}

# Of one key or one script, not of the server: no policy is meant for these.
UNEXPECTED = frozenset({Kind.WRONGTYPE, Kind.SCRIPT})

# The server serves nothing at the moment: a new connection may find another server, or the same one well again.
# Not OOM: calls still end and leases are still renewed while it lasts.
RELINK = frozenset({Kind.READONLY, Kind.MISCONF, Kind.LOADING, Kind.BUSY, Kind.AUTH, Kind.OTHER})


def kind_of_reply(error: RedisError) -> Kind:
    """Of an error reply: the connection is still good."""
    if isinstance(error, AuthenticationError | AuthorizationError):
        return Kind.AUTH
    return _CODES.get(error.status_code or str(error).partition(" ")[0], Kind.SCRIPT)


def kind_of_loss(error: Exception) -> Kind:
    """Of whatever else ends a connection."""
    if isinstance(error, TimeoutError | RedisTimeoutError):
        return Kind.TIMEOUT
    return Kind.PROTOCOL if isinstance(error, InvalidResponse | ValueError) else Kind.CONNECTION
