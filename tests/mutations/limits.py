"""What keeps limits exact: leases, settlements, and what holds while the shared store is away."""

from tests.mutations.protection import Protection

_SCRIPTS = "gateway/store/scripts"

PROTECTIONS = (
    Protection(
        "idempotent-lease",
        "A call that asks twice is admitted, and charged, once.",
        f"{_SCRIPTS}/admit.lua",
        "local held = call('HGET', KEYS[4], id)",
        "local held = false",
        ("tests/store/test_contract.py::TestAdmission::test_the_same_call_is_admitted_once_however_often_it_is_asked",),
    ),
    Protection(
        "idempotent-settle",
        "A settlement that is sent twice is paid once.",
        f"{_SCRIPTS}/settle.lua",
        "if held == 'void' or (mode == 'again' and not held) then",
        "if false then",
        ("tests/store/test_scripts.py::TestSettlement::test_sent_again_after_it_ran_it_does_nothing",),
    ),
    Protection(
        "idempotent-release",
        "What was released is void: the same release, sent again, gives nothing back a second time.",
        f"{_SCRIPTS}/settle.lua",
        "if held == 'void' or",
        "if",
        ("tests/store/test_scripts.py::TestRelease::test_twice_is_once",),
    ),
    Protection(
        "lease-ends",
        "The lease of a worker that died is free after its time.",
        f"{_SCRIPTS}/admit.lua",
        "'(' .. string.format('%.0f', now)",
        "'-inf'",
        ("tests/store/test_leases.py::TestExpiry::test_its_slot_can_be_taken_again",),
    ),
    Protection(
        "late-reply",
        "The first late reply ends the connection, so that no later call reads it.",
        "gateway/store/batch.py",
        "self.drop(Failure(Kind.TIMEOUT))",
        "[late.failed(Failure(Kind.TIMEOUT)) for late in self._flying]; self._flying.clear()",
        ("tests/store/test_late_replies.py::test_it_is_not_read_by_the_call_that_comes_next",),
    ),
    Protection(
        "no-retry-on-the-link",
        "An admission that was under way when its connection was lost is never sent again.",
        "gateway/store/redis.py",
        'op = "admit"',
        'op, keep = "admit", True',
        ("tests/store/test_late_replies.py::test_what_was_asked_over_a_lost_connection_is_not_asked_again",),
    ),
    Protection(
        "settlement-kept",
        "A settlement whose connection was lost is sent again over the next one.",
        "gateway/store/redis.py",
        "keep = True",
        "keep = False",
        ("tests/store/test_guard.py::TestSettlement::test_sent_without_a_reply_it_goes_again",),
    ),
    Protection(
        "slot-of-a-client-that-left",
        "A client that leaves before its admission is answered keeps no lease.",
        "gateway/store/redis.py",
        "if ran:",
        "if False:",
        ("tests/store/test_guard.py::TestClientLeaves::test_what_was_admitted_is_released",),
    ),
    Protection(
        "slot-of-a-client-that-left-in-that-tick",
        "Nor does one that leaves in the very tick in which the answer came.",
        "gateway/store/guard.py",
        "ask.abandoned(ask.future.result())",
        "pass",
        ("tests/store/test_guard.py::TestClientLeaves::test_what_was_admitted_is_released",),
    ),
    Protection(
        "budget-denied-without-the-store",
        "While Redis is away, what has a budget is denied, whatever the policy.",
        "gateway/store/guard.py",
        " or demand.limits.budget is not None:",
        ":",
        ("tests/store/test_guard.py::TestOutage::test_what_has_a_budget_is_denied",),
    ),
    Protection(
        "share-of-the-limits",
        "While Redis is away, a worker enforces the limits divided by workers and replicas.",
        "gateway/store/guard.py",
        "demand.limits.shared_by(settings.replicas * self._workers)",
        "demand.limits",
        ("tests/store/test_guard.py::TestCalls::test_out_of_memory_is_the_policys_and_keeps_the_connection",),
    ),
    Protection(
        "one-burst-an-outage",
        "An outage that comes and goes gives no new bursts: what was let in locally is remembered.",
        "gateway/store/guard.py",
        "self._local.decide(demand, share)",
        "MemoryStore(time.monotonic).decide(demand, share)",
        ("tests/store/test_guard.py::TestOutage::test_the_next_outage_gives_no_new_burst",),
    ),
)
