"""Every worker is replaced, again and again, while clients call: none of them notices."""

import signal

from reliability.load import Load
from reliability.promise import Figure, Run, none
from reliability.serving import Settings, place

CLIENTS = 32
MODEL = "first/sim-100tps-30tok"


async def rolling(run: Run) -> list[Figure]:
    rounds = 1 if run.quick else 10
    async with place(run) as here, here.gateway(Settings()) as gateway:
        load = Load(gateway.port, MODEL)
        async with load.running(CLIENTS):
            await load.until(CLIENTS)
            for number in range(1, rounds + 1):
                gateway.send(signal.SIGUSR2)
                await gateway.until("worker replaced", 2 * number)
                await gateway.until("worker ended", 2 * number)
            await load.until(CLIENTS)
    calls = f"{load.served:,}, {2 * rounds} workers replaced"
    return [
        none("rolling restart under load: requests failed", load.failed.total(), calls),
        none("rolling restart under load: streams cut", load.cut, calls),
    ]
