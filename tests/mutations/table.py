"""Every protection that is tried."""

from tests.mutations import clients, configuration, limits, streams, upstreams
from tests.mutations.protection import Protection

PROTECTIONS: tuple[Protection, ...] = (
    *limits.PROTECTIONS,
    *streams.PROTECTIONS,
    *upstreams.PROTECTIONS,
    *clients.PROTECTIONS,
    *configuration.PROTECTIONS,
)
