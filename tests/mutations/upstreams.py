"""What keeps a bad upstream from doing harm: framing, connections, and when to leave a target alone."""

from tests.mutations.protection import Protection

_CHUNKED = "tests/wire/test_framing.py::TestChunked::test_a_size_is_a_plain_hexadecimal_number_or_an_error"
_HEAD = "tests/upstream/test_head.py"
_REUSE = "tests/upstream/test_connection.py::TestReuse"

PROTECTIONS = (
    Protection(
        "chunk-size-zeros",
        "A chunk size with leading zeros is no chunk size.",
        "gateway/wire/framing.py",
        '(line.startswith(b"0") and line != b"0")',
        "False",
        (_CHUNKED,),
    ),
    Protection(
        "chunk-size-signs",
        "Nor is one with a sign, a blank or an underscore.",
        "gateway/wire/framing.py",
        "if not line.isalnum() or",
        "if",
        (_CHUNKED,),
    ),
    Protection(
        "whole-chunk",
        "Framing is passed on as it came only if the read is exactly one chunk.",
        "gateway/wire/framing.py",
        "if data.startswith(line) and",
        "if",
        ("tests/wire/test_framing.py::TestWhole::test_anything_else_is_not",),
    ),
    Protection(
        "whole-chunk-is-not-the-last",
        "The last chunk is never taken for one with data.",
        "gateway/wire/framing.py",
        ' and line != b"0\\r\\n":',
        ":",
        ("tests/wire/test_framing.py::TestWhole::test_anything_else_is_not",),
    ),
    Protection(
        "framed-twice",
        "An answer that says twice how it is framed is refused.",
        "gateway/upstream/head.py",
        " or self._framed_twice:",
        ":",
        (f"{_HEAD}::TestBodies::test_any_other_transfer_encoding_is_a_fault",),
    ),
    Protection(
        "head-bytes",
        "The head of an answer is bounded in its bytes.",
        "gateway/upstream/head.py",
        " > MAX_BYTES:",
        " > 2**30:",
        (f"{_HEAD}::TestBounds::test_64_kb_are_read_and_a_byte_more_is_not",),
    ),
    Protection(
        "idle-bytes",
        "Bytes on an idle connection close it, so that they are nobody's answer.",
        "gateway/upstream/connection.py",
        "if parser is None or listener is None:\n            self.close()",
        "if parser is None or listener is None:",
        (f"{_REUSE}::test_bytes_on_an_idle_connection_close_it",),
    ),
    Protection(
        "surplus-bytes",
        "A connection with bytes behind its answer is not used again.",
        "gateway/upstream/connection.py",
        "if body.rest:",
        "if False:",
        (f"{_REUSE}::test_u44_bytes_behind_an_answer_close_the_connection_after_it",),
    ),
    Protection(
        "redirects",
        "A redirect is a failed attempt, never followed and never passed on.",
        "gateway/upstream/attempt.py",
        "if status == 200 and kind",
        "if kind",
        ("tests/upstream/test_attempt.py::TestStatuses::test_u14_redirects_are_not_followed",),
    ),
    Protection(
        "replay-nothing-begun",
        "A request is sent once more only if nothing of an answer was seen.",
        "gateway/upstream/sender.py",
        " or connection.answer_begun",
        "",
        ("tests/upstream/test_sender.py::TestStaleConnections::test_it_is_not_if_anything_of_an_answer_was_seen",),
    ),
    Protection(
        "certificates",
        "An upstream's certificate is verified.",
        "gateway/upstream/sender.py",
        "ssl.create_default_context()",
        "ssl._create_unverified_context()",
        ("tests/upstream/test_pool.py::TestTls::test_a_certificate_that_nobody_vouches_for_is_refused",),
    ),
    Protection(
        "cooldown",
        "A target that answers 429 is left alone for as long as it says.",
        "gateway/flow/fallback.py",
        "self._health.cool(target, now + fault.cooldown)",
        "pass",
        ("tests/flow/test_fallback.py::test_a_target_in_cooldown_is_never_tried_again",),
    ),
    Protection(
        "breaker",
        "A target that fails again and again is left alone.",
        "gateway/state/health.py",
        "if entry.failures >= THRESHOLD and",
        "if False and",
        ("tests/state/test_health.py::TestBreaker::test_five_failures_in_a_row_open_it_for_a_second",),
    ),
    Protection(
        "one-probe",
        "An open breaker lets one probe at a time through.",
        "gateway/state/health.py",
        "(entry.open_until > now or entry.probing)",
        "entry.open_until > now",
        ("tests/state/test_health.py::TestBreaker::test_only_one_probe_at_a_time",),
    ),
)
