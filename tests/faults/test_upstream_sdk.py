"""A stream that was cut, as the unmodified `openai` package sees it: it raises, and never ends quietly."""

import openai
import pytest

from gateway.simulator import LAST_CHUNK, Close, Gate, Reset, Send, Silence, Step, Wait, chunked
from tests.catalogue import fault
from tests.conftest import KEY
from tests.faults.rig import HEADER, PROMPT, Rig
from tests.faults.streams import CHUNKED_HEAD, CLOSE_HEAD, A, B, content, pieces

BEGUN = [CHUNKED_HEAD, *pieces(A)]
HALF_OF_HUGE = content("x" * 2**20)[: 2**19]


@pytest.mark.parametrize(
    ("begun", "ending", "code"),
    [
        pytest.param(BEGUN, [Silence()], "upstream_timeout", marks=fault("U28"), id="u28-silence"),
        pytest.param(BEGUN, [Reset()], "upstream_interrupted", marks=fault("U29"), id="u29-rst"),
        pytest.param(BEGUN, [Close()], "upstream_interrupted", marks=fault("U30"), id="u30-no-last-chunk"),
        pytest.param(
            BEGUN, [Send(chunked(B[:20])), Close()], "upstream_interrupted", marks=fault("U30"), id="u30-half-an-event"
        ),
        pytest.param(BEGUN, [*pieces(HALF_OF_HUGE), Close()], None, marks=fault("U30"), id="u30-half-an-event-is-out"),
        pytest.param(
            [CLOSE_HEAD, Send(A)], [Close()], "upstream_interrupted", marks=fault("U32"), id="u32-close-delimited"
        ),
        pytest.param(BEGUN, [Send(LAST_CHUNK)], "upstream_interrupted", marks=fault("U32"), id="u32-quiet-end"),
        pytest.param(BEGUN, [Send(b"XYZ\r\n")], "upstream_interrupted", marks=fault("U42"), id="u42-bad-chunk"),
        pytest.param(
            BEGUN,
            [*pieces(content("b", index=1), content("", finish="stop")), Send(LAST_CHUNK)],
            "upstream_interrupted",
            marks=fault("U32"),
            id="u32-one-of-two-choices-has-ended",
        ),
    ],
)
async def test_openai_raises(rig: Rig, begun: list[Step], ending: list[Step], code: str | None) -> None:
    await rig.start(models="idle_timeout: 500ms" if code == "upstream_timeout" else "")
    gate = Gate()
    rig.first.script = lambda request: [*begun, Wait(gate), *ending]
    async with openai.AsyncOpenAI(
        api_key=KEY, base_url=rig.gateway.url, max_retries=0, default_headers={"X-Canary": HEADER}
    ) as client:
        stream = await client.chat.completions.create(
            model="first/any", messages=[{"role": "user", "content": PROMPT}], stream=True
        )
        chunks = aiter(stream)
        assert (await anext(chunks)).choices[0].delta.content == "a"
        gate.open()
        with pytest.raises(openai.APIError) as told:
            await _read(chunks)
    assert told.value.code == code
    assert isinstance(told.value, openai.APIConnectionError) == (code is None)
    assert (await rig.gateway.last_call())["outcome"] == "broken"


async def _read(chunks: object) -> None:
    async for _ in chunks:  # type: ignore[attr-defined]
        pass
