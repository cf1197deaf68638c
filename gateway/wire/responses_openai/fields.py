"""What becomes of each field of a Responses request when the model answers in chat completions.

Sources: OpenAI's API reference of `POST /v1/responses`, and the request types of its Python SDK.
"""

from types import MappingProxyType

from gateway.wire.translation import Field, Fields, How

_KEPT, _DROPPED, _REFUSED = How.KEPT, How.DROPPED, How.REFUSED
_HOSTED = "a tool that OpenAI runs itself"
_STORED = "the gateway keeps no answers, conversations or files"
_ITEMS_OF_HOSTED = "what a tool of OpenAI's did, which no chat message can say"

_TOP = {
    "model": Field(_KEPT, "`model`"),
    "input": Field(_KEPT, "`messages`"),
    "instructions": Field(_KEPT, "the first system message"),
    "stream": Field(_KEPT, "`stream`, with `stream_options.include_usage`"),
    "max_output_tokens": Field(_KEPT, "`max_completion_tokens`"),
    "temperature": Field(_KEPT, "`temperature`, 0 to 2"),
    "top_p": Field(_KEPT, "`top_p`, 0 to 1"),
    "top_logprobs": Field(_KEPT, "`top_logprobs` with `logprobs`, 0 to 20"),
    "tools": Field(_KEPT, "`tools`, each by its type"),
    "tool_choice": Field(_KEPT, "`tool_choice`; of `allowed_tools` only these are sent"),
    "parallel_tool_calls": Field(_KEPT, "the same, where there are tools"),
    "text": Field(_KEPT, "`response_format` and `verbosity`"),
    "reasoning": Field(_KEPT, "`reasoning_effort`"),
    "include": Field(_KEPT, "encrypted reasoning, where there is any, and `logprobs`"),
    "user": Field(_KEPT, "the same"),
    "safety_identifier": Field(_KEPT, "the same"),
    "prompt_cache_key": Field(_KEPT, "the same"),
    "prompt_cache_retention": Field(_KEPT, "the same"),
    "service_tier": Field(_KEPT, "the same"),
    "stream_options": Field(_KEPT, "usage is always asked for"),
    "store": Field(_DROPPED, "nothing is stored, and the answer says `store: false`"),
    "metadata": Field(_DROPPED, "a label of stored answers; it comes back in the answer"),
    "truncation": Field(_DROPPED, "a prompt that is too long is an error"),
    "max_tool_calls": Field(_DROPPED, "a limit of the tools that OpenAI runs itself"),
    "context_management": Field(_DROPPED, "the context is not compacted"),
    "prompt_cache_options": Field(_DROPPED, "caching is as the provider has it"),
    "background_options": Field(_DROPPED, "an option of `background`"),
    "access_programs": Field(_DROPPED, "a programme of OpenAI's"),
    "image": Field(_DROPPED, "an option of how images are kept"),
    "background": Field(_REFUSED, _STORED),
    "conversation": Field(_REFUSED, _STORED),
    "previous_response_id": Field(_REFUSED, _STORED),
    "prompt": Field(_REFUSED, "a template stored at OpenAI"),
    "moderation": Field(_REFUSED, "a check by OpenAI, which would not take place"),
}

_SETTINGS = {
    "text.format": Field(_KEPT, "`response_format`"),
    "text.verbosity": Field(_KEPT, "`verbosity`"),
    "reasoning.effort": Field(_KEPT, "`reasoning_effort`"),
    "reasoning.summary": Field(_KEPT, "the reasoning that a model shows is always a summary"),
    "reasoning.generate_summary": Field(_KEPT, "as `reasoning.summary`"),
    "reasoning.context": Field(_DROPPED, "the reasoning of earlier turns is sent as it comes"),
    "reasoning.mode": Field(_DROPPED, "a mode of OpenAI's models"),
    "include.reasoning.encrypted_content": Field(_KEPT, "in every reasoning item"),
    "include.message.output_text.logprobs": Field(_KEPT, "`logprobs`"),
    "include.file_search_call.results": Field(_DROPPED, _HOSTED),
    "include.web_search_call.results": Field(_DROPPED, _HOSTED),
    "include.web_search_call.action.sources": Field(_DROPPED, _HOSTED),
    "include.message.input_image.image_url": Field(_DROPPED, "the input is not listed in the answer"),
    "include.computer_call_output.output.image_url": Field(_DROPPED, "the input is not listed in the answer"),
    "include.code_interpreter_call.outputs": Field(_DROPPED, _HOSTED),
    "stream_options.include_obfuscation": Field(_DROPPED, "events are not padded"),
}

_TOOLS = {
    "tools.function": Field(_KEPT, "a function"),
    "tools.custom": Field(_KEPT, "a function with one text, `input`; a grammar becomes a part of its description"),
    "tools.namespace": Field(_KEPT, "its tools, named `namespace__name`"),
    "tools.local_shell": Field(_KEPT, "a function of that name"),
    "tools.web_search": Field(_DROPPED, "the model answers without it: Codex always offers it"),
    "tools.web_search_preview": Field(_DROPPED, "as `web_search`"),
    "tools.image_generation": Field(_DROPPED, "the model answers without it: Codex may offer it"),
    "tools.tool_search": Field(_DROPPED, "every tool is offered at once"),
    "tools.file_search": Field(_REFUSED, _HOSTED),
    "tools.code_interpreter": Field(_REFUSED, _HOSTED),
    "tools.computer": Field(_REFUSED, "a tool that OpenAI's models are trained for"),
    "tools.computer_use_preview": Field(_REFUSED, "as `computer`"),
    "tools.mcp": Field(_REFUSED, "OpenAI calls the server itself; give its tools as functions"),
    "tools.shell": Field(_REFUSED, "a tool that OpenAI's models are trained for; give it as a function"),
    "tools.apply_patch": Field(_REFUSED, "as `shell`; Codex gives it as a custom tool"),
    "tools.programmatic_tool_calling": Field(_REFUSED, _HOSTED),
    "tools.function.defer_loading": Field(_DROPPED, "every tool is offered at once"),
    "tools.function.allowed_callers": Field(_DROPPED, "the model is the only caller"),
    "tools.function.output_schema": Field(_DROPPED, "what a tool returns is not described"),
    "tools.function.async": Field(_DROPPED, "a call is answered in the next turn"),
}

_ITEMS = {
    "input.message": Field(_KEPT, "a message; `developer` becomes `system`, and those at the start become one"),
    "input.message.phase": Field(_DROPPED, "a label of OpenAI's models"),
    "input.content.input_text": Field(_KEPT, "`text`"),
    "input.content.output_text": Field(_KEPT, "`text`"),
    "input.content.output_text.annotations": Field(_DROPPED, "where a text came from"),
    "input.content.refusal": Field(_KEPT, "`refusal`"),
    "input.content.input_image": Field(_KEPT, "`image_url`, a `data:` or http URL"),
    "input.content.input_image.file_id": Field(_REFUSED, _STORED),
    "input.content.input_file": Field(_KEPT, "`file`"),
    "input.content.input_file.detail": Field(_DROPPED, "how closely a file is looked at"),
    "input.content.input_file.file_url": Field(_REFUSED, "a chat message has files only as data"),
    "input.content.input_file.file_id": Field(_REFUSED, _STORED),
    "input.content.input_audio": Field(_KEPT, "`input_audio`"),
    "input.content.prompt_cache_breakpoint": Field(_KEPT, "`cache_control`"),
    "input.content.prompt_cache_breakpoint.ttl": Field(_DROPPED, "as long as the provider keeps it"),
    "input.function_call": Field(_KEPT, "a tool call, in one message with the others of its turn"),
    "input.function_call_output": Field(_KEPT, "a tool message; images and files in a user message after it"),
    "input.custom_tool_call": Field(_KEPT, "a tool call with one text, `input`"),
    "input.custom_tool_call_output": Field(_KEPT, "as `function_call_output`"),
    "input.local_shell_call": Field(_KEPT, "a call of the function `local_shell`"),
    "input.local_shell_call_output": Field(_KEPT, "a tool message"),
    "input.reasoning": Field(_KEPT, "`reasoning_content` and `reasoning_details` of the message it belongs to"),
    "input.web_search_call": Field(_DROPPED, "what was found is in the text that follows"),
    "input.file_search_call": Field(_DROPPED, "as `web_search_call`"),
    "input.mcp_list_tools": Field(_DROPPED, "a list of tools that can't be called"),
    "input.tool_search_call": Field(_DROPPED, "every tool is offered at once"),
    "input.tool_search_output": Field(_DROPPED, "as `tool_search_call`"),
    "input.item_reference": Field(_REFUSED, _STORED + "; send the item (AI SDK: `store: false`)"),
    "input.compaction": Field(_REFUSED, "only OpenAI can read it"),
    "input.compaction_trigger": Field(_REFUSED, "the context is not compacted"),
    "input.additional_tools": Field(_REFUSED, "give them in `tools`"),
    "input.configuration_update": Field(_REFUSED, "chat has one configuration for all messages"),
    "input.computer_call": Field(_REFUSED, _ITEMS_OF_HOSTED),
    "input.computer_call_output": Field(_REFUSED, _ITEMS_OF_HOSTED),
    "input.code_interpreter_call": Field(_REFUSED, _ITEMS_OF_HOSTED),
    "input.image_generation_call": Field(_REFUSED, _ITEMS_OF_HOSTED),
    "input.mcp_call": Field(_REFUSED, _ITEMS_OF_HOSTED),
    "input.mcp_approval_request": Field(_REFUSED, _ITEMS_OF_HOSTED),
    "input.mcp_approval_response": Field(_REFUSED, _ITEMS_OF_HOSTED),
    "input.shell_call": Field(_REFUSED, _ITEMS_OF_HOSTED),
    "input.shell_call_output": Field(_REFUSED, _ITEMS_OF_HOSTED),
    "input.apply_patch_call": Field(_REFUSED, _ITEMS_OF_HOSTED),
    "input.apply_patch_call_output": Field(_REFUSED, _ITEMS_OF_HOSTED),
    "input.program": Field(_REFUSED, _ITEMS_OF_HOSTED),
    "input.program_output": Field(_REFUSED, _ITEMS_OF_HOSTED),
}

FIELDS: Fields = MappingProxyType(_TOP | _SETTINGS | _TOOLS | _ITEMS)

# What asks for nothing: SDKs and agents send it, although it is the default.
DEFAULTS = MappingProxyType({"background": False, "store": False, "truncation": "disabled"})
