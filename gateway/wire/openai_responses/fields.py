"""What becomes of each field of a chat completion request at the Responses API."""

from types import MappingProxyType

from gateway.wire.translation import Field, Fields, How


def _kept(note: str = "as it is") -> Field:
    return Field(How.KEPT, note)


def _dropped(note: str) -> Field:
    return Field(How.DROPPED, note)


def _refused(note: str) -> Field:
    return Field(How.REFUSED, note)


FIELDS: Fields = MappingProxyType(
    {
        "model": _kept(),
        "messages": _kept("`input`"),
        "messages.role": _kept("`system` and `developer` stay input messages where they stand; `function` is refused"),
        "messages.content": _kept("text, or the parts below; in `tool` messages too"),
        "messages.content.text": _kept("`input_text`, of the assistant `output_text`"),
        "messages.content.image_url": _kept("`input_image`, data URLs and others, `detail` `auto` if there is none"),
        "messages.content.file": _kept("`input_file`; `file_data` that is an http URL is `file_url`"),
        "messages.content.refusal": _kept("a `refusal` part of the assistant"),
        "messages.content.input_audio": _refused("there is no audio"),
        "messages.content.prompt_cache_breakpoint": _kept(),
        "messages.content.cache_control": _dropped("prompts are cached without being asked"),
        "messages.cache_control": _dropped("prompts are cached without being asked"),
        "messages.name": _dropped("messages have no name"),
        "messages.refusal": _kept("a `refusal` part"),
        "messages.tool_calls": _kept("a `function_call` or `custom_tool_call` item each"),
        "messages.tool_calls.extra_content": _dropped("another provider's"),
        "messages.tool_call_id": _kept("`call_id` of a `function_call_output` or `custom_tool_call_output` item"),
        "messages.reasoning_details": _kept("a `reasoning` item each; those of other providers are dropped"),
        "messages.reasoning_content": _dropped("reasoning goes back as `reasoning_details`"),
        "messages.annotations": _dropped("what they cite is in the text"),
        "messages.audio": _refused("there is no audio"),
        "messages.function_call": _refused("deprecated: `tool_calls`"),
        "tools": _kept("flattened"),
        "tools.function": _kept("`strict` is always said, as its default is another one"),
        "tools.custom": _kept("its grammar flattened"),
        "tools.cache_control": _dropped("prompts are cached without being asked"),
        "tool_choice": _kept("flattened, `allowed_tools` too"),
        "parallel_tool_calls": _kept(),
        "functions": _refused("deprecated: `tools`"),
        "function_call": _refused("deprecated: `tool_choice`"),
        "response_format": _kept("`text.format`"),
        "verbosity": _kept("`text.verbosity`"),
        "max_completion_tokens": _kept("`max_output_tokens`, 16 at least"),
        "max_tokens": _kept("`max_output_tokens`, 16 at least, where there are no `max_completion_tokens`"),
        "reasoning_effort": _kept("`reasoning.effort`; unless `none` with summaries and the encrypted reasoning"),
        "temperature": _kept(),
        "top_p": _kept(),
        "logprobs": _kept("`include`"),
        "top_logprobs": _kept(),
        "stream": _kept(),
        "stream_options": _kept("`include_obfuscation`; the usage always comes"),
        "metadata": _kept(),
        "user": _kept(),
        "safety_identifier": _kept(),
        "prompt_cache_key": _kept(),
        "prompt_cache_options": _kept(),
        "prompt_cache_retention": _kept(),
        "service_tier": _kept(),
        "web_search_options": _kept("a `web_search` tool"),
        "store": _dropped("always `false`"),
        "frequency_penalty": _dropped("there is none"),
        "presence_penalty": _dropped("there is none"),
        "seed": _dropped("there is none; it is no promise either"),
        "prediction": _dropped("it only makes the answer faster"),
        "stop": _refused("there are no stop sequences"),
        "n": _refused("one answer; `1` is one"),
        "logit_bias": _refused("there is none"),
        "modalities": _refused("text alone, which may be said"),
        "audio": _refused("there is no audio"),
        "moderation": _refused("not translated"),
    }
)
