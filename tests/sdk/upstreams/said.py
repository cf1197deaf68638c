"""What simulated providers of every schema hear and say: the same, each in its own words."""

import json
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

# The usage of every answer; in OpenAI's count, where what is cached is of the prompt and thoughts are of the answer.
PROMPT, CACHED, COMPLETION, REASONING = 20, 5, 10, 3

THOUGHT = "First, let me see."
SIGNATURE = "c2lnbmVkLWJ5LW1l"
GREETING = "Grüße, 你好 👋 "
# Of an answer in a form, and the answer.
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}
STRUCTURED = '{"city":"Rome","degrees":7}'
FORM = "json"  # the tool that the AI SDK asks for an object with, where it knows no other way
CITIES = ("Rome", "Oslo")


@dataclass(frozen=True)
class Heard:
    """`text` is the user's last, `results` are the tools' in the calls' order, `signature` came back from before."""

    system: str
    text: str
    tools: tuple[str, ...]
    results: tuple[str, ...]
    signature: str
    thinks: bool
    is_structured: bool


@dataclass(frozen=True)
class Call:
    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Said:
    model: str
    text: str = ""
    thought: str = ""
    calls: tuple[Call, ...] = ()


def reply(heard: Heard, model: str) -> Said:
    """Results are told, a form is filled in, tools are called for every city, or else what was said is said again."""
    thought = THOUGHT if heard.thinks else ""
    if heard.results:
        return Said(model, f"Back came: {', '.join(heard.results)}", thought)
    if heard.tools == (FORM,):
        return Said(model, "", thought, (Call("call_form", FORM, STRUCTURED),))
    if heard.tools:
        calls = (Call(f"call_{n}", heard.tools[0], json.dumps({"city": city})) for n, city in enumerate(CITIES))
        return Said(model, "", thought, tuple(calls))
    text = STRUCTURED if heard.is_structured else f"{GREETING}{heard.system}: {heard.text}"
    return Said(model, text, thought)


def pieces(text: str, size: int = 4) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def text_of(content: object, *kinds: str) -> str:
    """Of a text, or of a list of parts."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type") in kinds)
    return content if isinstance(content, str) else ""
