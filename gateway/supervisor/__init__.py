"""The parent of all workers: binds their listeners, starts, watches, replaces and ends them.

Look at `slot` (what it remembers of a listener and its workers), `process` (one worker from outside), `listener`,
then at `supervisor`, which decides.
"""

from gateway.supervisor.process import Launch
from gateway.supervisor.supervisor import Supervisor, supervise

__all__ = ["Launch", "Supervisor", "supervise"]
