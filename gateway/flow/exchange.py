"""The way of a call, on one screen. Nothing else orchestrates."""

import time
from dataclasses import dataclass

from gateway.core.call import Call
from gateway.core.clock import Clock
from gateway.core.ports import Cancellable, Downstream, Upload
from gateway.core.settings import Config
from gateway.flow.account import Account
from gateway.flow.admit import Admission
from gateway.flow.authenticate import authorize, identify
from gateway.flow.fallback import Fallback
from gateway.flow.pipe import Piping
from gateway.flow.plan import Planner
from gateway.state.keyring import Keyring
from gateway.state.live import Live
from gateway.wire.form import FORMS, read_body


@dataclass(frozen=True, slots=True)
class House:
    """One configuration and everything built from it: a call keeps the one it began with."""

    config: Config
    keyring: Keyring
    live: Live
    planner: Planner
    admission: Admission
    fallback: Fallback
    piping: Piping
    account: Account
    clock: Clock


async def exchange(call: Call, upload: Upload, downstream: Downstream, house: House, task: Cancellable) -> None:
    """Raises a Refusal before the first byte, a Break after it; the Record is closed either way. `task` is its own."""
    with house.live.call(task) as live_call, house.account.open(call) as record:
        record.caller = identify(call.keys, house.keyring)
        authorize(record.caller, time.time())
        began = house.clock()
        try:
            body = await upload.read(form=call.endpoint in FORMS)
        finally:
            record.waited = house.clock() - began
        record.ask = ask = read_body(body, call, house.config.routes.upstreams)
        record.plan = house.planner.plan(call, ask, record.caller, house.clock())
        with await house.admission.admit(record, downstream), await house.fallback.run(record) as served:
            await house.piping.run(served.answer, downstream, record, live_call)
