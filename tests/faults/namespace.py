"""Programs that see a system of their own: other mounts, another network; where the kernel lets us."""

import shutil
import subprocess
import sys
from functools import cache

MOUNTS, NETWORK = "--mount", "--net"
PROBE = "{ mount -t tmpfs none /mnt && mount -o remount,bind,ro /; } 2>/dev/null"


@cache
def unshared(*kinds: str) -> tuple[str, ...] | None:
    """What goes before a command, as root or as a user that is root in there only; None where neither works."""
    program = shutil.which("unshare")
    if program is None or sys.platform != "linux":
        return None
    for more in ((), ("--map-root-user",)):
        command = (program, *more, *kinds, "--")
        if subprocess.run([*command, "sh", "-c", PROBE if MOUNTS in kinds else "true"], check=False).returncode == 0:
            return command
    return None
