"""Requests, answers and streams that are right, of every API, with a bit of everything in them."""

from typing import Any

from gateway.core.call import Endpoint
from gateway.simulator import Request, Step, event, json_answer, sse_answer

Json = Any

_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_IMAGE = "data:image/png;base64,iVBORw0KGgo="

_CHAT: list[Json] = [
    {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9},
    {
        "model": "m",
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": _IMAGE, "detail": "low"}}]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"city":"x"}'}}
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "42"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": _SCHEMA}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": _SCHEMA}},
        "stop": ["."],
        "temperature": 0.5,
        "top_p": 0.9,
        "reasoning_effort": "low",
        "max_completion_tokens": 2000,
        "user": "u",
        "seed": 1,
    },
]
_MESSAGES: list[Json] = [
    {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9},
    {
        "model": "m",
        "max_tokens": 2000,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Hi"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                    {"type": "tool_use", "id": "c1", "name": "f", "input": {"city": "x"}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "42"}]},
        ],
        "tools": [{"name": "f", "description": "d", "input_schema": _SCHEMA}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "stop_sequences": ["."],
        "temperature": 0.5,
        "metadata": {"user_id": "u"},
        "output_config": {"format": {"type": "json_schema", "schema": _SCHEMA}},
    },
]
_RESPONSES: list[Json] = [
    {"model": "m", "input": "Hi"},
    {
        "model": "m",
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"role": "user", "content": [{"type": "input_image", "image_url": _IMAGE, "detail": "low"}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"city":"x"}'},
            {"type": "function_call_output", "call_id": "c1", "output": "42"},
        ],
        "tools": [{"type": "function", "name": "f", "parameters": _SCHEMA, "strict": False}],
        "tool_choice": {"type": "function", "name": "f"},
        "text": {"format": {"type": "json_schema", "name": "s", "schema": _SCHEMA}},
        "reasoning": {"effort": "low"},
        "max_output_tokens": 2000,
        "temperature": 0.5,
        "metadata": {"a": "b"},
        "store": False,
    },
]
ASKED: dict[Endpoint, list[Json]] = {
    Endpoint.CHAT: _CHAT,
    Endpoint.MESSAGES: _MESSAGES,
    Endpoint.RESPONSES: _RESPONSES,
}

_CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"city":"x"}'}}
_USAGE = {"prompt_tokens": 8, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}}
_CHAT_ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1767225600,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hi", "reasoning_content": "hm", "tool_calls": [_CALL]},
            "finish_reason": "tool_calls",
        }
    ],
    "usage": _USAGE,
}
_MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "text", "text": "Hi"},
        {"type": "tool_use", "id": "c1", "name": "f", "input": {"city": "x"}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 7, "output_tokens": 2, "cache_read_input_tokens": 1},
}
_RESPONSE: Json = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1767225600,
    "status": "completed",
    "model": "m",
    "output": [
        {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"id": "msg_1", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]},
        {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"city":"x"}'},
    ],
    "usage": {"input_tokens": 8, "output_tokens": 2, "total_tokens": 10},
}
_CANDIDATE = {
    "candidates": [
        {
            "index": 0,
            "content": {
                "role": "model",
                "parts": [{"text": "Hi"}, {"functionCall": {"name": "f", "args": {"city": "x"}}}],
            },
            "finishReason": "STOP",
        }
    ],
    "usageMetadata": {"promptTokenCount": 8, "candidatesTokenCount": 2, "totalTokenCount": 10},
    "modelVersion": "m",
    "responseId": "r1",
}
ANSWERED: dict[str, list[Json]] = {
    "openai": [_CHAT_ANSWER],
    "anthropic": [_MESSAGE],
    "gemini": [_CANDIDATE],
    "responses": [_RESPONSE],
}


def _delta(delta: Json, finish_reason: str | None = None) -> Json:
    return {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


def _block(index: int, block: Json, delta: Json) -> list[Json]:
    return [
        {"type": "content_block_start", "index": index, "content_block": block},
        {"type": "content_block_delta", "index": index, "delta": delta},
        {"type": "content_block_stop", "index": index},
    ]


STREAMED: dict[str, list[Json]] = {
    "openai": [
        _delta({"role": "assistant", "content": "Hi"}),
        _delta({"tool_calls": [{"index": 0, **_CALL}]}),
        _delta({}, "tool_calls"),
        {"id": "chatcmpl-1", "choices": [], "usage": _USAGE},
    ],
    "anthropic": [
        {"type": "message_start", "message": {**_MESSAGE, "content": [], "stop_reason": None}},
        *_block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Hi"}),
        *_block(
            1,
            {"type": "tool_use", "id": "c1", "name": "f", "input": {}},
            {"type": "input_json_delta", "partial_json": '{"city":"x"}'},
        ),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ],
    "gemini": [{"candidates": [{"content": {"role": "model", "parts": [{"text": "Hm"}]}}]}, _CANDIDATE],
    "responses": [
        {
            "type": "response.created",
            "sequence_number": 0,
            "response": {**_RESPONSE, "status": "in_progress", "output": []},
        },
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {"id": "msg_1", "type": "message", "content": []},
        },
        {
            "type": "response.output_text.delta",
            "item_id": "msg_1",
            "output_index": 0,
            "content_index": 0,
            "delta": "Hi",
        },
        {"type": "response.output_item.done", "output_index": 0, "item": _RESPONSE["output"][1]},
        {
            "type": "response.output_item.added",
            "output_index": 1,
            "item": {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "f", "arguments": ""},
        },
        {
            "type": "response.function_call_arguments.delta",
            "item_id": "fc_1",
            "output_index": 1,
            "delta": '{"city":"x"}',
        },
        {"type": "response.output_item.done", "output_index": 1, "item": _RESPONSE["output"][2]},
        {"type": "response.completed", "response": _RESPONSE},
    ],
}

_PATHS = {
    "messages": "anthropic",
    "responses": "responses",
    "streamGenerateContent": "gemini",
    "generateContent": "gemini",
}


def takes_anything(request: Request) -> list[Step]:
    """A provider that judges nothing: what the answers show is the gateway's own judgement."""
    path = request.path.partition("?")[0].removeprefix("/v1/").rpartition(":")[2]
    if not request.body:
        return json_answer(200, {})
    dialect = _PATHS.get(path, "openai")
    if path == "streamGenerateContent" or b'"stream":true' in request.body:
        events = [
            b"event: %b\n%b" % (str(data["type"]).encode(), event(data)) if "type" in data else event(data)
            for data in STREAMED[dialect]
        ]
        return sse_answer(events, done=dialect == "openai")
    return json_answer(200, ANSWERED[dialect][0])
