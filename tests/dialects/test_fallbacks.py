"""What goes wrong at one provider, over every front door: another one's answer, or the caller's own words for it."""

import itertools

import pytest

from gateway.simulator import Close, Gate, Reset, Send, Silence, Simulator, Step, Wait, chunked, sse_answer
from tests.conftest import StartGateway
from tests.dialects.callers import CALLERS, CHAT, MESSAGES, Caller, Heard
from tests.dialects.providers import COMPLETION, PROMPT, PROVIDERS, REASON, TEXT, Provider
from tests.dialects.wire import ask, fails, request, says
from tests.e2e.raw import RawClient

INTERRUPTED = "The provider's stream was interrupted."


def label(value: object) -> str:
    if isinstance(value, Caller):
        return value.path.rpartition("/")[2]
    return value.dialect if isinstance(value, Provider) else str(value)


FALLBACKS = [
    pytest.param(caller, failing, answering, id=f"{label(caller)} from {label(failing)} to {label(answering)}")
    for caller in CALLERS
    for failing, answering in itertools.permutations(PROVIDERS, 2)
]
PAIRS = [
    pytest.param(caller, provider, id=f"{label(caller)} at {label(provider)}")
    for caller, provider in itertools.product(CALLERS, PROVIDERS)
]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(("caller", "failing", "answering"), FALLBACKS)
async def test_one_dialect_answers_for_another(
    caller: Caller,
    failing: Provider,
    answering: Provider,
    stream: bool,
    start_gateway: StartGateway,
    routes: str,
    upstream: Simulator,
    second: Simulator,
) -> None:
    gateway = await start_gateway(f"{routes}  both: [{failing.dialect}, {answering.dialect}-2]\n")
    fails(upstream, 503, failing.failure)
    says(second, answering.text)
    fields = {"stream_options": {"include_usage": True}} if caller is CHAT and stream else {}
    answer = await ask(gateway, caller.path, caller.body("both", stream=stream, **fields))
    assert (answer.status, answer.complete) == (200, True)
    heard = caller.read_stream(answer.body) if stream else caller.read(answer.json)
    assert heard == Heard(TEXT, [], (PROMPT, COMPLETION))
    assert answer.header("x-fallback-used") == "true"
    assert answer.header("x-model-tier") == "both"
    assert (await gateway.last_call())["attempts"][0]["outcome"] == "up_5xx"


TOLD = {
    # By the status at the provider: what the gateway answers, and as what to a caller of Messages.
    400: (400, "invalid_request_error"),
    401: (502, "api_error"),
    429: (429, "rate_limit_error"),
    500: (502, "api_error"),
    529: (502, "api_error"),
}


@pytest.mark.parametrize("status", TOLD)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(("caller", "provider"), PAIRS)
async def test_errors_before_the_stream_have_the_callers_shape(
    caller: Caller,
    provider: Provider,
    stream: bool,
    status: int,
    start_gateway: StartGateway,
    routes: str,
    upstream: Simulator,
) -> None:
    gateway = await start_gateway(routes)
    fails(upstream, status, provider.failure)
    answer = await ask(gateway, caller.path, caller.body(provider.dialect, stream=stream))
    kind, message = caller.read_error(answer.json)
    assert answer.status == TOLD[status][0]
    assert kind == TOLD[status][1] if caller is MESSAGES else kind in ("invalid_request_error", "server_error")
    assert (message == REASON) == (status == 400)
    assert answer.header("content-type") == "application/json"
    assert (answer.header("retry-after") is not None) == (status == 429)


@pytest.mark.parametrize(("caller", "provider"), PAIRS)
async def test_an_error_inside_the_stream_has_the_callers_shape(
    caller: Caller, provider: Provider, start_gateway: StartGateway, routes: str, upstream: Simulator, second: Simulator
) -> None:
    gateway = await start_gateway(routes)
    events = provider.text.events
    upstream.script = lambda asked: sse_answer((*events[: provider.begun], provider.trouble), done=False)
    answer = await ask(gateway, caller.path, caller.body(f"either-{provider.dialect}", stream=True))
    assert answer.status == 200
    assert REASON in caller.read_break(answer.body)[1] or provider.dialect == "gemini"
    assert b"[DONE]" not in answer.body
    assert not answer.complete
    assert not second.requests
    call = await gateway.last_call()
    assert (call["outcome"], call["code"]) == ("broken", "upstream_error")


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param([Close()], id="closed"),
        pytest.param([Reset()], id="reset"),
        pytest.param([Send(b"0\r\n\r\n")], id="ended"),
        pytest.param([Send(chunked(b'data: {"type": "resp')), Close()], id="half an event"),
        pytest.param([Send(chunked(b"data: {not json}\n\n")), Close()], id="no event"),
    ],
)
@pytest.mark.parametrize(("caller", "provider"), PAIRS)
async def test_a_stream_that_breaks_says_so_in_the_callers_words_and_is_cut(
    caller: Caller,
    provider: Provider,
    ending: list[Step],
    start_gateway: StartGateway,
    routes: str,
    upstream: Simulator,
) -> None:
    gateway = await start_gateway(routes)
    gate, steps = Gate(), sse_answer(provider.text.events[: provider.begun], done=False)[:-1]
    upstream.script = lambda asked: [*steps, Wait(gate), *ending]
    client = RawClient(gateway.port)
    await client.send(request(caller.path, caller.body(provider.dialect, stream=True)))
    seen = await client.until(b"Hello")
    gate.open()
    rest, _ = await client.rest()
    assert not (seen + rest).endswith(b"0\r\n\r\n")
    told = (seen + rest).rsplit(b"\r\n", 2)[-2] if (seen + rest).endswith(b"\r\n") else seen + rest
    kind, _ = caller.read_break(told)
    assert kind in ("api_error", "server_error", "upstream_interrupted", "upstream_error")
    assert (await gateway.last_call())["outcome"] == "broken"


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
@pytest.mark.parametrize(("caller", "provider"), PAIRS)
async def test_a_client_that_leaves_frees_the_provider(
    caller: Caller, provider: Provider, reset: bool, start_gateway: StartGateway, routes: str, upstream: Simulator
) -> None:
    gateway = await start_gateway(routes)
    steps = sse_answer(provider.text.events[: provider.begun], done=False)[:-1]
    upstream.script = lambda asked: [*steps, Silence()]
    client = RawClient(gateway.port)
    await client.send(request(caller.path, caller.body(provider.dialect, stream=True)))
    await client.until(b"Hello")
    client.leave(reset=reset)
    assert (await upstream.until_left(upstream.requests[0])).by_peer
    call = await gateway.last_call()
    assert (call["outcome"], call["status"]) == ("client_gone", 499)


@pytest.mark.parametrize(("caller", "provider"), PAIRS)
async def test_a_prompt_too_long_is_told_or_goes_to_a_larger_window(
    caller: Caller, provider: Provider, start_gateway: StartGateway, routes: str, upstream: Simulator, second: Simulator
) -> None:
    sized = routes.replace(f'"{provider.model}"}}', f'"{provider.model}", context_window: 1000}}', 1)
    at = sized.rindex(f'"{provider.model}"}}')
    sized = sized[:at] + sized[at:].replace(f'"{provider.model}"}}', f'"{provider.model}", context_window: 2000}}', 1)
    gateway = await start_gateway(sized)
    text = "prompt is too long: the token count exceeds the maximum number of tokens, its maximum context length"
    fails(upstream, 400, {**provider.failure, "error": {**provider.failure["error"], "message": text}})
    says(second, provider.text)
    answer = await ask(gateway, caller.path, caller.body(provider.dialect))
    assert (answer.status, caller.read_error(answer.json)[0]) == (400, "invalid_request_error")
    answer = await ask(gateway, caller.path, caller.body(f"either-{provider.dialect}"))
    assert (answer.status, answer.header("x-fallback-used")) == (200, "true")
