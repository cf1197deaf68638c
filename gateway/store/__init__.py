"""Memory shared by all replicas: admission, leases, usage. Whatever stands here fits `ports.Store`.

guard    the shared store as calls meet it: Redis, or the policy while it is away
redis    what is said to Redis, with scripts/
command  the kinds of it, and what each makes of an answer
batch    how it gets there: one trip at a time
link     over what
resp     in which words
failures what may go wrong
memory   the embedded default, and what `on_error: local` decides with
"""

import time

from gateway.core.ports import StoreMeter
from gateway.core.settings import StoreSettings
from gateway.store.guard import GuardedStore
from gateway.store.memory import MemoryStore


def open_store(settings: StoreSettings, workers: int, meter: StoreMeter) -> MemoryStore | GuardedStore:
    """On the running loop; `start` it before the first call, `stop` it after the last. Raises ValueError."""
    if settings.url.startswith("memory:"):
        return MemoryStore(time.monotonic)
    return GuardedStore(settings, workers, meter)
