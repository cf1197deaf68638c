"""Every documented field of a chat request, and what becomes of it at an Anthropic upstream."""

from types import MappingProxyType

from gateway.wire.translation import Field, Fields, How

_KEPT, _DROPPED, _REFUSED = How.KEPT, How.DROPPED, How.REFUSED

_REQUEST = {
    "model": Field(_KEPT, "as it is"),
    "messages": Field(_KEPT, "neighbours of one role become one turn; the first turn is a user's"),
    "stream": Field(_KEPT, "as it is"),
    "stream_options": Field(_KEPT, "usage is always reported"),
    "max_completion_tokens": Field(_KEPT, "`max_tokens`, at most the model's `max_output_tokens`; 4096 without either"),
    "max_tokens": Field(_KEPT, "as `max_completion_tokens`, which goes first"),
    "temperature": Field(_KEPT, "above 1 it is 1; dropped for Claude from 4.7 on, and while the model thinks"),
    "top_p": Field(_KEPT, "dropped as `temperature`, and beside it for Claude from 4.1 on"),
    "stop": Field(_KEPT, "`stop_sequences`; one of white space only is refused"),
    "n": Field(_REFUSED, "more than 1"),
    "tools": Field(_KEPT, "functions"),
    "tool_choice": Field(_KEPT, "`required` is `any`"),
    "parallel_tool_calls": Field(_KEPT, "false is `disable_parallel_tool_use`"),
    "functions": Field(_REFUSED, "their calls have no id; use `tools`"),
    "function_call": Field(_REFUSED, "use `tool_choice`"),
    "response_format": Field(_KEPT, "`output_config.format`"),
    "reasoning_effort": Field(
        _KEPT,
        "adaptive thinking and `output_config.effort` for Claude from 4.6 on, a budget of at most half of the tokens "
        "before; dropped where the turn can't begin with thinking",
    ),
    "user": Field(_KEPT, "`metadata.user_id`, unless it looks like an e-mail address or a telephone number"),
    "safety_identifier": Field(_KEPT, "`metadata.user_id`, before `user`"),
    "logprobs": Field(_REFUSED, "there are none; false is fine"),
    "top_logprobs": Field(_REFUSED, "there are none"),
    "logit_bias": Field(_REFUSED, "the tokens are others"),
    "modalities": Field(_REFUSED, "any but text"),
    "audio": Field(_REFUSED, "answers are texts"),
    "web_search_options": Field(_REFUSED, "the search is another one"),
    "moderation": Field(_REFUSED, "there is none"),
    "frequency_penalty": Field(_DROPPED, "there is none"),
    "presence_penalty": Field(_DROPPED, "there is none"),
    "seed": Field(_DROPPED, "there is none"),
    "verbosity": Field(_DROPPED, "there is none"),
    "prediction": Field(_DROPPED, "it only makes an answer faster"),
    "service_tier": Field(_DROPPED, "the tiers are others"),
    "store": Field(_DROPPED, "nothing is stored"),
    "metadata": Field(_DROPPED, "it belongs to what is stored"),
    "prompt_cache_key": Field(_DROPPED, "the cache needs none"),
    "prompt_cache_options": Field(_DROPPED, "the cache has other ones"),
    "prompt_cache_retention": Field(_DROPPED, "a part's `cache_control` has a `ttl`"),
}

_MESSAGES = {
    "messages.role": Field(_KEPT, "system and developer messages are `system`, wherever they stand"),
    "messages.content": Field(_KEPT, "texts of white space only are left out"),
    "messages.content.text": Field(_KEPT, "as it is"),
    "messages.content.image_url": Field(_KEPT, "data URLs (JPEG, PNG, GIF, WebP) and http URLs"),
    "messages.content.image_url.detail": Field(_DROPPED, "there is none"),
    "messages.content.file": Field(_KEPT, "`document`: data URLs of PDF or text, and http URLs of PDF"),
    "messages.content.file.filename": Field(_KEPT, "`title`"),
    "messages.content.file.file_id": Field(_REFUSED, "the file is elsewhere"),
    "messages.content.input_audio": Field(_REFUSED, "audio is not understood"),
    "messages.content.refusal": Field(_KEPT, "a text"),
    "messages.content.cache_control": Field(_KEPT, "as it is"),
    "messages.content.prompt_cache_breakpoint": Field(_KEPT, "`cache_control`, for the usual time"),
    "messages.cache_control": Field(_KEPT, "of the message's last block"),
    "messages.name": Field(_DROPPED, "there is none"),
    "messages.refusal": Field(_KEPT, "a text"),
    "messages.audio": Field(_REFUSED, "the audio is elsewhere"),
    "messages.function_call": Field(_REFUSED, "use `tool_calls`"),
    "messages.tool_calls": Field(_KEPT, "`tool_use`; arguments that are no JSON object stand in one as `INVALID_JSON`"),
    "messages.tool_calls.custom": Field(_REFUSED, "an input is an object"),
    "messages.tool_calls.extra_content": Field(_DROPPED, "it belongs to another provider"),
    "messages.tool_call_id": Field(_KEPT, "`tool_use_id`, with `_` for what it may not contain"),
    "messages.reasoning_content": Field(_DROPPED, "without its signature; see `reasoning_details`"),
    "messages.reasoning_details": Field(_KEPT, "`thinking` and `redacted_thinking`, if they are Claude's own"),
}

_OTHERS = {
    "tools.function": Field(_KEPT, "`parameters` is `input_schema`"),
    "tools.function.strict": Field(_KEPT, "with the schema adapted as in `response_format`; dropped before Claude 4.1"),
    "tools.custom": Field(_REFUSED, "an input is an object"),
    "tools.cache_control": Field(_KEPT, "as it is"),
    "tool_choice.allowed_tools": Field(_KEPT, "the other tools are not sent"),
    "tool_choice.custom": Field(_REFUSED, "an input is an object"),
    "response_format.text": Field(_KEPT, "nothing to say"),
    "response_format.json_object": Field(_KEPT, "an instruction in `system`, which the model may break"),
    "response_format.json_schema": Field(
        _KEPT, "always strict; limits that are not known there (`minLength` …) go into the descriptions"
    ),
    "response_format.json_schema.name": Field(_KEPT, "`title`"),
    "response_format.json_schema.description": Field(_KEPT, "`description` of the schema"),
    "response_format.json_schema.strict": Field(_KEPT, "always so"),
}

FIELDS: Fields = MappingProxyType({**_REQUEST, **_MESSAGES, **_OTHERS})
