"""A request for each row of the table."""

from typing import Any

Json = dict[str, Any]

MODEL = {"model": "m", "input": "Hi"}
FUNCTION: Json = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False}
IMAGE = "data:image/png;base64,iVBORw0KGgo="
CALL: Json = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT: Json = {"type": "function_call_output", "call_id": "c1", "output": "42"}
SCHEMA: Json = {"type": "object", "properties": {"a": {"type": "string"}}}


def with_item(item: Json, *before: Json) -> Json:
    return {"model": "m", "input": [{"role": "user", "content": "Hi"}, *before, item]}


def with_part(part: Json, role: str = "user") -> Json:
    return {"model": "m", "input": [{"role": role, "content": [part]}]}


def with_tool(tool: Json) -> Json:
    return {**MODEL, "tools": [FUNCTION, tool]}


def _text(**more: object) -> Json:
    return {"type": "input_text", "text": "Hi", **more}


TOP: dict[str, Json] = {
    "model": MODEL,
    "input": MODEL,
    "instructions": {**MODEL, "instructions": "Be brief."},
    "stream": {**MODEL, "stream": True},
    "max_output_tokens": {**MODEL, "max_output_tokens": 100},
    "temperature": {**MODEL, "temperature": 0.5},
    "top_p": {**MODEL, "top_p": 0.5},
    "top_logprobs": {**MODEL, "top_logprobs": 3},
    "tools": {**MODEL, "tools": [FUNCTION]},
    "tool_choice": {**MODEL, "tools": [FUNCTION], "tool_choice": "required"},
    "parallel_tool_calls": {**MODEL, "tools": [FUNCTION], "parallel_tool_calls": False},
    "text": {**MODEL, "text": {"format": {"type": "json_object"}}},
    "reasoning": {**MODEL, "reasoning": {"effort": "low"}},
    "include": {**MODEL, "include": ["message.output_text.logprobs"]},
    "user": {**MODEL, "user": "u"},
    "safety_identifier": {**MODEL, "safety_identifier": "s"},
    "prompt_cache_key": {**MODEL, "prompt_cache_key": "k"},
    "prompt_cache_retention": {**MODEL, "prompt_cache_retention": "24h"},
    "service_tier": {**MODEL, "service_tier": "flex"},
    "stream_options": {**MODEL, "stream": True, "stream_options": {"include_obfuscation": False}},
    "store": {**MODEL, "store": True},
    "metadata": {**MODEL, "metadata": {"a": "b"}},
    "truncation": {**MODEL, "truncation": "auto"},
    "max_tool_calls": {**MODEL, "max_tool_calls": 3},
    "context_management": {**MODEL, "context_management": [{"type": "compaction"}]},
    "prompt_cache_options": {**MODEL, "prompt_cache_options": {"mode": "implicit"}},
    "background_options": {**MODEL, "background_options": {"completion_window": "soonest"}},
    "access_programs": {**MODEL, "access_programs": {"cyber": "standard"}},
    "image": {**MODEL, "image": {"context_compression": "auto"}},
    "background": {**MODEL, "background": True},
    "conversation": {**MODEL, "conversation": "conv_1"},
    "previous_response_id": {**MODEL, "previous_response_id": "resp_1"},
    "prompt": {**MODEL, "prompt": {"id": "pmpt_1"}},
    "moderation": {**MODEL, "moderation": {"model": "omni"}},
    "text.format": {
        **MODEL,
        "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True, "description": "d"}},
    },
    "text.verbosity": {**MODEL, "text": {"verbosity": "low"}},
    "reasoning.effort": {**MODEL, "reasoning": {"effort": "high"}},
    "reasoning.summary": {**MODEL, "reasoning": {"summary": "auto"}},
    "reasoning.generate_summary": {**MODEL, "reasoning": {"generate_summary": "auto"}},
    "reasoning.context": {**MODEL, "reasoning": {"context": "auto"}},
    "reasoning.mode": {**MODEL, "reasoning": {"mode": "pro"}},
    "stream_options.include_obfuscation": {**MODEL, "stream": True, "stream_options": {"include_obfuscation": True}},
    **{
        f"include.{name}": {**MODEL, "include": [name]}
        for name in (
            "reasoning.encrypted_content",
            "message.output_text.logprobs",
            "file_search_call.results",
            "web_search_call.results",
            "web_search_call.action.sources",
            "message.input_image.image_url",
            "computer_call_output.output.image_url",
            "code_interpreter_call.outputs",
        )
    },
}

_GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: PATCH"}

TOOLS: dict[str, Json] = {
    "tools.function": with_tool({**FUNCTION, "name": "g"}),
    "tools.custom": with_tool({"type": "custom", "name": "apply_patch", "description": "Edits.", "format": _GRAMMAR}),
    "tools.namespace": with_tool({"type": "namespace", "name": "mcp", "description": "d", "tools": [FUNCTION]}),
    "tools.local_shell": with_tool({"type": "local_shell"}),
    "tools.web_search": with_tool({"type": "web_search", "external_web_access": False}),
    "tools.web_search_preview": with_tool({"type": "web_search_preview_2025_03_11"}),
    "tools.image_generation": with_tool({"type": "image_generation"}),
    "tools.tool_search": with_tool({"type": "tool_search"}),
    "tools.file_search": with_tool({"type": "file_search", "vector_store_ids": ["vs_1"]}),
    "tools.code_interpreter": with_tool({"type": "code_interpreter", "container": {"type": "auto"}}),
    "tools.computer": with_tool({"type": "computer"}),
    "tools.computer_use_preview": with_tool({"type": "computer_use_preview"}),
    "tools.mcp": with_tool({"type": "mcp", "server_label": "l", "server_url": "https://mcp.example.com"}),
    "tools.shell": with_tool({"type": "shell"}),
    "tools.apply_patch": with_tool({"type": "apply_patch"}),
    "tools.programmatic_tool_calling": with_tool({"type": "programmatic_tool_calling"}),
    "tools.function.defer_loading": with_tool({**FUNCTION, "name": "g", "defer_loading": True}),
    "tools.function.allowed_callers": with_tool({**FUNCTION, "name": "g", "allowed_callers": ["direct"]}),
    "tools.function.output_schema": with_tool({**FUNCTION, "name": "g", "output_schema": SCHEMA}),
    "tools.function.async": with_tool({**FUNCTION, "name": "g", "async": True}),
}

_OUTPUT_TEXT: Json = {"type": "output_text", "text": "Hello", "annotations": []}
_CITATION = {"type": "url_citation", "url": "https://example.com", "title": "t", "start_index": 0, "end_index": 1}
_FILE: Json = {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}
_SHELL_CALL: Json = {
    "type": "local_shell_call",
    "id": "lsh_1",
    "call_id": "c1",
    "status": "completed",
    "action": {"type": "exec", "command": ["ls"], "env": {}},
}
_CUSTOM_CALL: Json = {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": "*** Begin"}

ITEMS: dict[str, Json] = {
    "input.message": with_item({"type": "message", "role": "developer", "content": [_text()]}),
    "input.message.phase": with_item({"role": "assistant", "content": "Hi", "phase": "commentary"}),
    "input.content.input_text": with_part(_text()),
    "input.content.output_text": with_part(_OUTPUT_TEXT, "assistant"),
    "input.content.output_text.annotations": with_part({**_OUTPUT_TEXT, "annotations": [_CITATION]}, "assistant"),
    "input.content.refusal": with_part({"type": "refusal", "refusal": "No."}, "assistant"),
    "input.content.input_image": with_part({"type": "input_image", "image_url": IMAGE, "detail": "low"}),
    "input.content.input_image.file_id": with_part({"type": "input_image", "file_id": "file_1", "detail": "auto"}),
    "input.content.input_file": with_part(_FILE),
    "input.content.input_file.detail": with_part({**_FILE, "detail": "low"}),
    "input.content.input_file.file_url": with_part({"type": "input_file", "file_url": "https://example.com/a.pdf"}),
    "input.content.input_file.file_id": with_part({"type": "input_file", "file_id": "file_1"}),
    "input.content.input_audio": with_part({"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}),
    "input.content.prompt_cache_breakpoint": with_part(_text(prompt_cache_breakpoint={"mode": "explicit"})),
    "input.content.prompt_cache_breakpoint.ttl": with_part(
        _text(prompt_cache_breakpoint={"mode": "explicit", "ttl": "12h"})
    ),
    "input.function_call": with_item(CALL),
    "input.function_call_output": with_item(OUTPUT, CALL),
    "input.custom_tool_call": with_item(_CUSTOM_CALL),
    "input.custom_tool_call_output": with_item(
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "Done"}, _CUSTOM_CALL
    ),
    "input.local_shell_call": with_item(_SHELL_CALL),
    "input.local_shell_call_output": with_item(
        {"type": "local_shell_call_output", "id": "c1", "output": "a.txt"}, _SHELL_CALL
    ),
    "input.reasoning": with_item(
        CALL, {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]}
    ),
    "input.web_search_call": with_item({"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {}}),
    "input.file_search_call": with_item({"type": "file_search_call", "id": "fs_1", "queries": []}),
    "input.mcp_list_tools": with_item({"type": "mcp_list_tools", "id": "m", "server_label": "l", "tools": []}),
    "input.tool_search_call": with_item({"type": "tool_search_call", "arguments": {}}),
    "input.tool_search_output": with_item({"type": "tool_search_output", "tools": []}),
    "input.item_reference": with_item({"type": "item_reference", "id": "msg_1"}),
    **{
        f"input.{kind}": with_item({"type": kind, "id": "x", "call_id": "c"})
        for kind in (
            "compaction",
            "compaction_trigger",
            "additional_tools",
            "configuration_update",
            "computer_call",
            "computer_call_output",
            "code_interpreter_call",
            "image_generation_call",
            "mcp_call",
            "mcp_approval_request",
            "mcp_approval_response",
            "shell_call",
            "shell_call_output",
            "apply_patch_call",
            "apply_patch_call_output",
            "program",
            "program_output",
        )
    },
}

EXAMPLES = TOP | TOOLS | ITEMS
