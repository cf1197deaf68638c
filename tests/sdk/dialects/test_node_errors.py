"""What the SDKs for Node throw, whichever upstream fails."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sdk.dialects.conftest import PROVIDERS, House
from tests.sdk.npm import Npm, started
from tests.sdk.upstreams import FAILURE

_CLASSES = {400: "BadRequestError", 429: "RateLimitError", 500: "InternalServerError"}
_STATUSES = {400: 400, 429: 429, 500: 502}
AI_SDKS = ["compatible", "anthropic", "openai"]


@pytest.fixture(scope="module")
def npm() -> Iterator[Npm]:
    with started("sdks.mjs") as npm:
        yield npm


async def failed(npm: Npm, house: House, name: str, **asked: Any) -> dict[str, Any]:
    answer = await npm.run(name, house.gateway.url, **asked)
    assert answer["warnings"] == []
    error: dict[str, Any] = answer["error"]
    return error


@pytest.mark.parametrize("status", [400, 429, 500])
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("case", ["message", "messageTools", "response", "responseTools"])
async def test_an_upstreams_error_keeps_its_class(
    npm: Npm, house: House, case: str, provider: str, status: int
) -> None:
    error = await failed(npm, house, case, model=f"{provider}/status-{status}")
    assert (error["class"], error["status"]) == (_CLASSES[status], _STATUSES[status])
    assert (FAILURE in error["message"]) is (status == 400)
    assert error["requestID"]


@pytest.mark.parametrize("status", [400, 429, 500])
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("sdk", AI_SDKS)
async def test_the_ai_sdk_reads_an_upstreams_error(
    npm: Npm, house: House, sdk: str, provider: str, status: int
) -> None:
    error = await failed(npm, house, "aiText", sdk=sdk, model=f"{provider}/status-{status}")
    assert error["status"] == _STATUSES[status]
    assert (FAILURE in error["message"]) is (status == 400)


@pytest.mark.parametrize("failure", ["breaks", "cut"])
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("case", ["messageTools", "responseTools", *AI_SDKS])
async def test_a_stream_that_breaks_throws(npm: Npm, house: House, case: str, provider: str, failure: str) -> None:
    name, asked = ("aiText", {"sdk": case}) if case in AI_SDKS else (case, {})
    error = await failed(npm, house, name, model=f"{provider}/{failure}", **asked)
    assert error["message"]
