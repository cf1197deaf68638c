"""The default script: OpenAI's endpoints, where the model's name decides what is answered.

* any name: a friendly text, at the pace and length that its suffixes ask for (see `pace`)
* `fault-<name>`: one of `faults.FAULTS`
* a name that contains `fail-<name of this upstream>` as a word: 503, here only, so that a fallback is seen
"""

import hmac
import itertools
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

import msgspec

from gateway.simulator.answer import Headers, error_answer, json_answer
from gateway.simulator.chat import ChatRequest, Completion
from gateway.simulator.embeddings import EmbeddingsRequest, embeddings
from gateway.simulator.faults import FAULTS
from gateway.simulator.healthy import healthy
from gateway.simulator.pace import Pace
from gateway.simulator.request import Request
from gateway.simulator.step import Pause, Step

_FAULT_TOKENS = 5  # a fault's stream is short, so that it can be cut at every byte
_MODELS = ("sim-small", "sim-large", "sim-30tps", "sim-embedding")
_Body = TypeVar("_Body", ChatRequest, EmbeddingsRequest)


class Provider:
    """`tokens_per_second` is the pace of names that ask for none; 0 = as fast as the socket takes."""

    def __init__(self, name: str, tokens_per_second: float = 0.0, api_key: str | None = None) -> None:
        self._name = name
        self._tokens_per_second = tokens_per_second
        self._credential = f"Bearer {api_key}".encode() if api_key else None
        self._failing = re.compile(rf"(?<![A-Za-z0-9])fail-{re.escape(name)}(?![A-Za-z0-9])")
        self._serial = itertools.count(1)

    def __call__(self, request: Request) -> Iterable[Step]:
        headers = [("x-request-id", f"req_{self._name}_{next(self._serial)}")]
        if self._credential and not hmac.compare_digest(request.header(b"authorization") or b"", self._credential):
            return error_answer(401, "Incorrect API key provided.", code="invalid_api_key", headers=headers)
        try:
            return self._answer(request, headers)
        except msgspec.ValidationError as fault:
            return error_answer(400, str(fault), code="invalid_value", headers=headers)
        except msgspec.DecodeError:
            return error_answer(400, "The request body is not valid JSON.", code="invalid_json", headers=headers)
        except LookupError:
            return error_answer(400, "No such tool.", param="tool_choice", code="invalid_value", headers=headers)

    def _answer(self, request: Request, headers: Headers) -> Iterable[Step]:
        path = request.path.partition("?")[0]
        match request.method, path.removeprefix("/v1"):
            case "POST", "/chat/completions":
                return self._chat(_decode(request.body, ChatRequest), headers)
            case "POST", "/embeddings":
                return self._embeddings(_decode(request.body, EmbeddingsRequest), headers)
            case "GET", "/models":
                return json_answer(200, {"object": "list", "data": [_model(name) for name in _MODELS]}, headers)
            case "GET", name if name.startswith("/models/"):
                return json_answer(200, _model(name.removeprefix("/models/")), headers)
        return error_answer(404, f"Invalid URL ({request.method} {path})", code="unknown_url", headers=headers)

    def _chat(self, request: ChatRequest, headers: Headers) -> Iterable[Step]:
        pace = Pace.of(request.model, self._tokens_per_second)
        if _is_fault(pace) and pace.tokens is None:
            pace = replace(pace, tokens=_FAULT_TOKENS)
        completion = Completion.of(request, self._name, pace)
        return _delayed(pace, self._faulty(completion) or healthy(completion, headers))

    def _embeddings(self, request: EmbeddingsRequest, headers: Headers) -> Iterable[Step]:
        pace = Pace.of(request.model)
        stand_in = Completion(request.model, self._name, ("embedding",), pace)
        return _delayed(pace, self._faulty(stand_in) or json_answer(200, embeddings(request), headers))

    def _faulty(self, completion: Completion) -> Iterable[Step] | None:
        if self._failing.search(completion.model):
            return error_answer(503, f"{self._name} fails as it was asked to.")
        if not _is_fault(completion.pace):
            return None
        fault = FAULTS.get(completion.pace.base.removeprefix("fault-"))
        if fault is None:
            return error_answer(404, f"No such fault. There are: {', '.join(FAULTS)}.", code="model_not_found")
        return fault(completion)


def _decode(body: bytes, kind: type[_Body]) -> _Body:
    return msgspec.json.decode(body, type=kind)


def _is_fault(pace: Pace) -> bool:
    return pace.base.startswith("fault-")


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "simulator"}


def _delayed(pace: Pace, steps: Iterable[Step]) -> Iterable[Step]:
    return itertools.chain([Pause(pace.delay)], steps) if pace.delay else steps
