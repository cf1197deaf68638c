"""What becomes of each field of a chat completion request: the table in docs/dialects.md."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from gateway.core.errors import Inexpressible
from gateway.wire.events import Json
from gateway.wire.translation import Field, Fields, How

_KEPT = {
    "model": "in the path",
    "stream": "streamGenerateContent, else generateContent",
    "stream_options": "usage is in every event",
    "messages": "contents and systemInstruction",
    "messages.role": "user; assistant is model; system and developer are the systemInstruction; tool is user",
    "messages.content": "parts; neighbours of one role are merged",
    "messages.content.text": "text",
    "messages.content.refusal": "text",
    "messages.content.image_url": "a data URL is inlineData, an http, https or gs URL fileData",
    "messages.content.input_audio": "inlineData",
    "messages.content.file.file_data": "a data URL is inlineData, an http, https or gs URL fileData",
    "messages.refusal": "text",
    "messages.tool_calls": "functionCall",
    "messages.tool_calls.function": "name, and arguments as an object",
    "messages.tool_calls.extra_content": "google.thought_signature, on the functionCall",
    "messages.tool_call_id": "the functionResponse's name, and from Gemini 3 on its id",
    "messages.reasoning_details": "those of google-gemini-v1: thoughtSignature",
    "max_tokens": "maxOutputTokens, thoughts included, at most the model's own limit",
    "max_completion_tokens": "maxOutputTokens, before max_tokens",
    "temperature": "as it is: 0 to 2",
    "top_p": "topP",
    "top_k": "topK",
    "n": "candidateCount, at most 8",
    "stop": "stopSequences, at most 5",
    "seed": "folded into 31 bits",
    "presence_penalty": "presencePenalty; 2 is 1.99, as Gemini excludes it",
    "frequency_penalty": "frequencyPenalty; 2 is 1.99, as Gemini excludes it",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
    "modalities": "text alone",
    "tools": "functionDeclarations",
    "tools.function.name": "as it is",
    "tools.function.description": "as it is",
    "tools.function.parameters": "parametersJsonSchema",
    "tool_choice": "functionCallingConfig: auto is AUTO, none NONE, required ANY",
    "tool_choice.function": "ANY with allowedFunctionNames",
    "tool_choice.allowed_tools": "required is ANY with allowedFunctionNames; auto declares only these",
    "response_format": "responseMimeType application/json",
    "response_format.json_schema.schema": "responseJsonSchema",
    "response_format.json_schema.strict": "a schema always binds",
    "reasoning_effort": "thinkingLevel from Gemini 3 on, thinkingBudget for 2.5, with includeThoughts; "
    "dropped for models that do not think",
}
_DROPPED = {
    "messages.name": "Gemini has no names of speakers",
    "messages.reasoning_content": "thoughts are not read again, their signatures are",
    "messages.cache_control": "prefixes are cached without markers",
    "messages.content.cache_control": "prefixes are cached without markers",
    "messages.content.prompt_cache_breakpoint": "prefixes are cached without markers",
    "messages.content.image_url.detail": "the model chooses the resolution",
    "messages.content.file.filename": "inlineData has no name",
    "tools.cache_control": "prefixes are cached without markers",
    "tools.function.strict": "there is no such switch",
    "parallel_tool_calls": "there is no such switch: a turn may have several calls",
    "response_format.json_schema.name": "a schema has no name",
    "response_format.json_schema.description": "a schema's own description is kept",
    "metadata": "nothing is stored",
    "store": "nothing is stored",
    "user": "end users are not told apart",
    "safety_identifier": "end users are not told apart",
    "prompt_cache_key": "prefixes are cached without markers",
    "prompt_cache_options": "prefixes are cached without markers",
    "prompt_cache_retention": "prefixes are cached without markers",
    "prediction": "only makes an answer faster",
    "service_tier": "only makes an answer faster or cheaper",
    "verbosity": "a hint about length",
}
_REFUSED = {
    "messages.audio": "an answer that OpenAI keeps",
    "messages.function_call": "deprecated: tool_calls",
    "messages.tool_calls.custom": "functions alone",
    "messages.content.file.file_id": "a file that OpenAI keeps",
    "tools.custom": "functions alone",
    "tool_choice.custom": "functions alone",
    "functions": "deprecated: tools",
    "function_call": "deprecated: tool_choice",
    "logit_bias": "token ids of another vocabulary",
    "audio": "no spoken answers",
    "moderation": "the answer has no room for its results",
    "web_search_options": "the answer has no room for its sources",
}

FIELDS: Fields = MappingProxyType(
    {name: Field(How.KEPT, note) for name, note in _KEPT.items()}
    | {name: Field(How.DROPPED, note) for name, note in _DROPPED.items()}
    | {name: Field(How.REFUSED, note) for name, note in _REFUSED.items()}
)


def _nested() -> Mapping[str, Mapping[str, How]]:
    """By the object they are in; what is kept needs no look-up."""
    found: dict[str, dict[str, How]] = {}
    for name, field in FIELDS.items():
        where, _, last = name.rpartition(".")
        if where and field.how is not How.KEPT:
            found.setdefault(where, {})[last] = field.how
    return found


_NESTED = _nested()


class Dropped:
    """The nested fields that were dropped, each once, in the order in which they came."""

    __slots__ = ("_names",)

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def add(self, name: str) -> None:
        self._names[name] = None

    def look(self, value: Json, where: str, param: str) -> None:
        """Raises Inexpressible for a member that is refused; `where` is the table's word for the path `param`."""
        for name, how in _NESTED[where].items():
            if value.get(name) is None:
                continue
            if how is How.REFUSED:
                raise Inexpressible(param=f"{param}.{name}")
            self.add(f"{where}.{name}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)
