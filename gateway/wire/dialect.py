"""The table of API schemas that upstreams speak: a dialect is its files here and one row below."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote

from gateway.core.call import Ask, Endpoint
from gateway.core.route import Target, Upstream
from gateway.wire import anthropic_native, azure, gemini, openai
from gateway.wire.anthropic_native import Anthropic, CountTokens, Estimated
from gateway.wire.anthropic_openai import AnthropicOpenAI
from gateway.wire.azure import Azure, OpaqueAzure
from gateway.wire.opaque import Opaque
from gateway.wire.openai import OpenAI
from gateway.wire.openai_anthropic import OpenAIAnthropic
from gateway.wire.openai_gemini import OpenAIGemini
from gateway.wire.openai_responses import OpenAIResponses
from gateway.wire.pair import Pair
from gateway.wire.responses_native import Responses, Stored
from gateway.wire.responses_openai import ResponsesOpenAI
from gateway.wire.translated import ChatCaller, ChatUpstream, Translated
from gateway.wire.translation import CallerTranslation, UpstreamTranslation

Pairs = Mapping[Endpoint, Pair]


class Dialect(NamedTuple):
    """`credential` are the headers with the upstream's API key, `pinned` those that a caller may send itself.

    `pairs` is by the caller's endpoint: what is not there can't be asked of it. `models` is a path that lists some.
    """

    pairs: Pairs
    credential: Callable[[Upstream], tuple[tuple[str, str], ...]] = openai.credential
    pinned: Callable[[Upstream], tuple[tuple[bytes, bytes], ...]] = openai.pinned
    models: Callable[[Upstream], str] = openai.models


class Gemini(OpenAI):
    """Where Google's models are asked; the query asks for server-sent events."""

    def __init__(self) -> None:
        super().__init__("")

    def path(self, ask: Ask, target: Target) -> str:
        method = "streamGenerateContent?alt=sse" if ask.stream else "generateContent"
        return f"/models/{quote(target.remote, safe='')}:{method}"

    read_failure = staticmethod(gemini.read_failure)


def _google_credential(upstream: Upstream) -> tuple[tuple[str, str], ...]:
    return (("x-goog-api-key", upstream.api_key),) if upstream.api_key else ()


_CALLERS: Mapping[Endpoint, CallerTranslation] = {
    Endpoint.CHAT: ChatCaller(),
    Endpoint.MESSAGES: AnthropicOpenAI(),
    Endpoint.RESPONSES: ResponsesOpenAI(),
}


def _translated(upstream: UpstreamTranslation, schema: Pair) -> dict[Endpoint, Pair]:
    """Every caller at an upstream that no caller speaks as it does."""
    pairs: dict[Endpoint, Pair] = {
        endpoint: Translated(caller, upstream, schema) for endpoint, caller in _CALLERS.items()
    }
    return pairs | {Endpoint.COUNT_TOKENS: Estimated("")}


def _openai(passed: type[OpenAI], opaque: type[Opaque]) -> dict[Endpoint, Pair]:
    return _translated(ChatUpstream(), passed("/chat/completions")) | {
        Endpoint.CHAT: passed("/chat/completions"),
        Endpoint.COMPLETIONS: passed("/completions"),
        Endpoint.EMBEDDINGS: passed("/embeddings"),
        Endpoint.TRANSCRIPTIONS: opaque("/audio/transcriptions"),
        Endpoint.SPEECH: opaque("/audio/speech"),
        Endpoint.IMAGES: opaque("/images/generations"),
        Endpoint.MODERATIONS: opaque("/moderations"),
    }


_MESSAGES, _RESPONSES = Anthropic("/messages"), Responses("/responses")

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "openai": Dialect(_openai(OpenAI, Opaque)),
        "azure": Dialect(_openai(Azure, OpaqueAzure), azure.credential, models=azure.models),
        "anthropic": Dialect(
            _translated(OpenAIAnthropic(), _MESSAGES)
            | {Endpoint.MESSAGES: _MESSAGES, Endpoint.COUNT_TOKENS: CountTokens("/messages/count_tokens")},
            anthropic_native.credential,
            anthropic_native.pinned,
        ),
        "gemini": Dialect(_translated(OpenAIGemini(), Gemini()), _google_credential),
        "responses": Dialect(
            _translated(OpenAIResponses(), _RESPONSES)
            | {Endpoint.RESPONSES: _RESPONSES, Endpoint.STORED: Stored("/responses")}
        ),
    }
)


def spoken(dialects: tuple[str, ...], endpoint: Endpoint) -> Dialect | None:
    """What to ask an upstream of these in: the first that needs no translation, else the first that can be asked."""
    rows = [DIALECTS[name] for name in dialects if endpoint in DIALECTS[name].pairs]
    return min(rows, key=lambda row: row.pairs[endpoint].translates, default=None)
