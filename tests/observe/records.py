"""Records as calls leave them behind."""

from typing import Any

from gateway.core.call import Ask
from gateway.core.outcome import AttemptResult, Outcome, Record, Usage
from gateway.core.route import Exclusion, Plan, Price, Target
from tests.values import make_ask, make_call, make_caller, make_target, make_upstream

CANARY = "CANARY"
SMALL = make_target("small", price=Price(1.0, 0.5, 2.0))
LARGE = make_target("large", make_upstream("second"))


def make_record(**fields: Any) -> Record:
    """A stream that the second target served: 0.5 s to its first byte, 1 s in all."""
    given: dict[str, Any] = {
        "call": make_call(started=100.0),
        "config_version": "abc123",
        "caller": make_caller(),
        "ask": make_ask("fast", stream=True),
        "plan": Plan("fast", None, None, (LARGE, SMALL)),
        "target": SMALL,
        "attempts": [AttemptResult(LARGE, "up_5xx", 0.1), AttemptResult(SMALL, "ok", 0.3)],
        "status": 200,
        "outcome": Outcome.OK,
        "first_byte": 100.5,
        "ended": 101.0,
        "usage": Usage(1000, 51, 400),
        "events": 51,
    }
    return Record(**{**given, **fields})


def make_tainted_record(outcome: Outcome) -> Record:
    """With a canary in every place that may hold a prompt, a key or a credential."""
    upstream = make_upstream(
        host=f"{CANARY}.example.com",
        base_path=f"/{CANARY}",
        api_key=CANARY,
        headers=(("x-secret", CANARY),),
        left_out=CANARY,
    )
    target = make_target("small", upstream, remote=CANARY, defaults={"system": CANARY})
    ask = Ask(
        model=f"{CANARY} what is my password?",
        fields={"messages": f'[{{"content":"{CANARY}"}}]', "user": CANARY, CANARY: CANARY},
        complexity=CANARY,
        provider=CANARY,
    )
    call = make_call(
        keys=(CANARY.encode(),),
        forward=((b"user-agent", CANARY.encode()),),
        complexity=CANARY,
        provider=CANARY,
        retry_count=1,
    )
    excluded: tuple[tuple[Target, Exclusion], ...] = ((target, Exclusion.KIND),)
    return make_record(
        call=call,
        caller=make_caller(id=CANARY, models=(CANARY,), limits=CANARY),
        ask=ask,
        plan=Plan(None, CANARY, None, (target,), excluded),
        target=target,
        attempts=[AttemptResult(target, "ok", 0.1), AttemptResult(SMALL, "ok", 0.1)],
        outcome=outcome,
    )
