"""What providers really sent, to every caller. Without recordings there is nothing to look at."""

import random

import pytest

from gateway.core.call import Endpoint
from gateway.core.fault import Fault
from gateway.wire.pair import Answered
from tests.recordings import Recording, recorded
from tests.wire.pairings import CALLERS, LAST_WORDS, SCHEMAS, Pairing, cut, data_of, every_pairing, facts, text_of

CUTS = 12


def some_cuts(one: Recording) -> list[int]:
    """The same in every run."""
    dice = random.Random(one.id)
    return [dice.randrange(len(one.body)) for _ in range(CUTS)]


@every_pairing
def test_a_stream_is_the_same_wherever_it_is_cut(pairing: Pairing) -> None:
    for one in recorded(pairing.upstream, stream=True):
        whole, once = pairing.read(one.body, stream_options={"include_usage": True})
        told, scanner = pairing.read(*cut(one.body, some_cuts(one)), stream_options={"include_usage": True})
        assert told == whole, one.id
        assert facts(scanner) == facts(once), one.id


@every_pairing
def test_a_stream_is_whole_with_its_last_word_or_says_why_not(pairing: Pairing) -> None:
    for one in recorded(pairing.upstream, stream=True):
        told, scanner = pairing.read(one.body)
        assert scanner.done != (scanner.failed or scanner.error is not None), one.id
        is_said = LAST_WORDS[pairing.caller] in told or b"event: response.incomplete\n" in told
        assert is_said == scanner.done, one.id
        assert data_of(told) or scanner.error, one.id


@pytest.mark.parametrize("upstream", list(SCHEMAS))
def test_every_caller_is_told_the_same_text_and_counted_the_same(upstream: str) -> None:
    for one in recorded(upstream, stream=True):
        read = [(caller, *Pairing(caller, upstream).read(one.body)) for caller in CALLERS]
        whole = [(text_of(caller, told), scanner.usage) for caller, told, scanner in read if scanner.done]
        if b'"custom_tool_call"' not in one.body:  # No Messages caller asks for one.
            assert len(whole) in (0, len(read)), one.id
        if b'"refusal"' not in one.body:
            assert whole.count(whole[0]) == len(whole) if whole else True, one.id


@every_pairing
def test_a_plain_answer_is_translated_or_a_fault(pairing: Pairing) -> None:
    for one in recorded(pairing.upstream, stream=False):
        answered: Answered | None = None
        try:
            answered = pairing.pair.read_answer(one.body, pairing.outgoing())
        except Fault:
            assert not one.body or b'"error"' in one.body or pairing.caller is not Endpoint.CHAT, one.id
        if answered is not None:
            assert answered.body.startswith(b"{"), one.id
