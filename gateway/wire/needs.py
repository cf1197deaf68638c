"""What a request needs of a model, seen in its bytes. Inside a JSON string a quote has a backslash before it."""

import re
from collections.abc import Mapping

import msgspec

from gateway.core.call import NO_NEEDS, Capability, Endpoint

Signs = Mapping[str, tuple[tuple[Capability, re.Pattern[bytes]], ...]]

_NOTHING = (b"null", b"[]", b"{}", b'"none"')

_ANY = re.compile(b"")


def _type(name: str) -> re.Pattern[bytes]:
    return re.compile(rb'"type"\s*:\s*"%b"' % name.encode())


# By field: what it means that it is there, with the mark in it.
_SIGNS: Mapping[Endpoint, Signs] = {
    Endpoint.CHAT: {
        "tools": ((Capability.TOOLS, _ANY),),
        "functions": ((Capability.TOOLS, _ANY),),
        "messages": ((Capability.VISION, _type("image_url")), (Capability.AUDIO, _type("input_audio"))),
        "modalities": ((Capability.AUDIO, re.compile(rb'"audio"')),),
        "response_format": ((Capability.JSON_SCHEMA, _type("json_schema")),),
        "reasoning_effort": ((Capability.REASONING, _ANY),),
    },
    Endpoint.RESPONSES: {
        "tools": ((Capability.TOOLS, _ANY),),
        "input": ((Capability.VISION, _type("input_image")), (Capability.AUDIO, _type("input_audio"))),
        "text": ((Capability.JSON_SCHEMA, _type("json_schema")),),
        "reasoning": ((Capability.REASONING, re.compile(rb'"effort"\s*:\s*"(?!none")')),),
    },
    Endpoint.MESSAGES: {
        "tools": ((Capability.TOOLS, _ANY),),
        "messages": ((Capability.VISION, _type("image")),),
        "output_config": ((Capability.JSON_SCHEMA, _type("json_schema")),),
        "output_format": ((Capability.JSON_SCHEMA, _type("json_schema")),),
        "thinking": ((Capability.REASONING, _type("enabled")),),
    },
}
_NO_SIGNS: Signs = {}


def read_needs(endpoint: Endpoint, fields: Mapping[str, msgspec.Raw]) -> frozenset[Capability]:
    signs, found = _SIGNS.get(endpoint, _NO_SIGNS), NO_NEEDS
    for name in fields:
        if name in signs:
            raw = bytes(fields[name])
            found |= {capability for capability, mark in signs[name] if raw not in _NOTHING and mark.search(raw)}
    return found or NO_NEEDS
