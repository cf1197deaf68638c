"""The unmodified SDKs for Node, through the gateway, at providers of every schema."""

import json
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from tests.sdk.dialects.conftest import PROVIDERS, House
from tests.sdk.npm import Npm, started
from tests.sdk.upstreams import MODELS
from tests.sdk.upstreams.said import CACHED, CITIES, COMPLETION, GREETING, PROMPT, SIGNATURE, STRUCTURED, THOUGHT

Run = Callable[..., Coroutine[Any, Any, dict[str, Any]]]

# As Anthropic counts, and as everybody else does.
USAGE = {"message": [PROMPT - CACHED, CACHED, COMPLETION], "response": [PROMPT, CACHED, COMPLETION]}
FINISH = {"message": ("end_turn", "tool_use"), "response": ("completed", "completed")}
CALLS = [{"city": city} for city in CITIES]
BACK = f"Back came: {', '.join(f'{city}: 7' for city in CITIES)}"
AI_SDKS = ["compatible", "anthropic", "openai"]
EVENTS = {
    "message": [
        "content_block_delta",
        "content_block_start",
        "content_block_stop",
        "message_delta",
        "message_start",
        "message_stop",
    ],
    "response": [
        "response.completed",
        "response.created",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.in_progress",
        "response.output_item.added",
        "response.output_item.done",
    ],
}


@pytest.fixture(scope="module")
def npm() -> Iterator[Npm]:
    with started("sdks.mjs") as npm:
        yield npm


@pytest.fixture
def run(npm: Npm, house: House) -> Run:
    """`await run(case, model=…)`, which warns of nothing."""

    async def run(name: str, **asked: Any) -> dict[str, Any]:
        answer = await npm.run(name, house.gateway.url, **asked)
        assert answer.pop("warnings") == []
        return answer

    return run


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("kind", ["message", "response"])
class TestTheirOwnSdks:
    async def test_a_text(self, run: Run, provider: str, kind: str) -> None:
        assert await run(kind, model=MODELS[provider]) == {
            "text": f"{GREETING}: hi",
            "thought": "",
            "calls": [],
            "finish": FINISH[kind][0],
            "usage": USAGE[kind],
        }

    async def test_streamed_tool_calls_and_what_comes_of_them(self, run: Run, provider: str, kind: str) -> None:
        answer = await run(f"{kind}Tools", model=MODELS[provider])
        told = {"thought": "", "usage": USAGE[kind]}
        done, called = FINISH[kind]
        assert answer == {
            "first": {**told, "text": "", "calls": CALLS, "finish": called},
            "second": {**told, "text": BACK, "calls": [], "finish": done},
            "events": EVENTS[kind],
        }

    async def test_thoughts_go_back_with_their_signature(
        self, run: Run, house: House, provider: str, kind: str
    ) -> None:
        asked = {"message": {"thinking": {"type": "enabled", "budget_tokens": 2048}}}
        more = asked.get(kind, {"reasoning": {"effort": "low", "summary": "auto"}})
        answer = await run(f"{kind}Tools", model=MODELS[provider], **more)
        assert (answer["first"]["thought"], answer["second"]["text"]) == (THOUGHT, BACK)
        assert house.heard(provider).signature == ("" if provider == "openai" else SIGNATURE)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("sdk", AI_SDKS)
class TestTheAiSdk:
    async def test_a_streamed_text(self, run: Run, sdk: str, provider: str) -> None:
        answer = await run("aiText", sdk=sdk, model=MODELS[provider])
        assert (answer["text"], answer["finish"]) == (f"{GREETING}: hi", "stop")
        assert answer["usage"] == USAGE["response"]

    async def test_tools_run_and_their_results_are_answered(self, run: Run, sdk: str, provider: str) -> None:
        answer = await run("aiTools", sdk=sdk, model=MODELS[provider])
        assert (answer["calls"], answer["text"]) == (CALLS, BACK)
        assert (answer["finish"], answer["usage"]) == (["tool-calls", "stop"], [USAGE["response"]] * 2)

    async def test_thoughts_go_back(self, run: Run, house: House, sdk: str, provider: str) -> None:
        answer = await run("aiTools", sdk=sdk, model=MODELS[provider], think=True)
        assert (answer["thought"], answer["calls"], answer["text"]) == (THOUGHT, CALLS, BACK)
        if sdk != "compatible":
            assert house.heard(provider).signature == ("" if provider == "openai" else SIGNATURE)

    async def test_an_object(self, run: Run, sdk: str, provider: str) -> None:
        answer = await run("aiObject", sdk=sdk, model=MODELS[provider])
        assert answer == {"object": json.loads(STRUCTURED), "usage": USAGE["response"]}
