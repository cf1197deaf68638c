"""The items of an answer's output, each from its first event to its last."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from gateway.wire.events import Event, Json
from gateway.wire.responses_openai.freeform import Freeform
from gateway.wire.responses_openai.reasoning import Details, seal
from gateway.wire.responses_openai.tools import Kind, Tool

Say = Callable[[str, Json], Event]


class Item(Protocol):
    index: int

    def close(self, status: str) -> tuple[list[Event], Json]:
        """The last events, and the item as it stands in the output."""


class Base:
    """`say` numbers the events; `index` is the item's place in the output."""

    def __init__(self, say: Say, index: int, name: str) -> None:
        self._say = say
        self.index = index
        self.id = name

    def _event(self, kind: str, **fields: object) -> Event:
        return self._say(f"response.{kind}", {"item_id": self.id, "output_index": self.index, **fields})

    def _whole(self, kind: str, item: Json) -> Event:
        return self._say(f"response.output_item.{kind}", {"output_index": self.index, "item": item})


class Reasoning(Base):
    """One summary part. `encrypted_content` is there from the start of its last event on."""

    def __init__(self, say: Say, index: int, base: str) -> None:
        super().__init__(say, index, f"rs_{base}_{index}")
        self._text: list[str] = []
        self.details = Details()
        self.signatures: dict[str, str] = {}

    def open(self) -> list[Event]:
        return [self._whole("added", {"id": self.id, "type": "reasoning", "summary": []})]

    def add(self, text: str) -> list[Event]:
        events = []
        if not self._text:
            events.append(self._event("reasoning_summary_part.added", summary_index=0, part=_summary("")))
        self._text.append(text)
        events.append(self._event("reasoning_summary_text.delta", summary_index=0, delta=text))
        return events

    def close(self, status: str) -> tuple[list[Event], Json]:
        events, summary = [], []
        if self._text:
            text = "".join(self._text)
            summary.append(_summary(text))
            events.append(self._event("reasoning_summary_text.done", summary_index=0, text=text))
            events.append(self._event("reasoning_summary_part.done", summary_index=0, part=_summary(text)))
        token = seal(self.details.whole(), self.signatures)
        item = {"id": self.id, "type": "reasoning", "summary": summary, "encrypted_content": token}
        return [*events, self._whole("done", item)], item


class Message(Base):
    """Texts and refusals, each a part of its own."""

    def __init__(self, say: Say, index: int, base: str) -> None:
        super().__init__(say, index, f"msg_{base}_{index}")
        self._parts: list[Json] = []
        self._texts: list[str] = []
        self._logprobs: list[Json] = []

    def open(self) -> list[Event]:
        return [self._whole("added", self._item("in_progress"))]

    def add_text(self, text: str, logprobs: list[Json]) -> list[Event]:
        events = self._turn_to("output_text")
        self._texts.append(text)
        self._logprobs += logprobs
        briefly = [_briefly(one) for one in logprobs]
        events.append(self._part_event("output_text.delta", delta=text, logprobs=briefly))
        return events

    def add_refusal(self, text: str) -> list[Event]:
        events = self._turn_to("refusal")
        self._texts.append(text)
        events.append(self._part_event("refusal.delta", delta=text))
        return events

    def close(self, status: str) -> tuple[list[Event], Json]:
        events, item = self._end_part(), self._item(status)
        return [*events, self._whole("done", item)], item

    def _item(self, status: str) -> Json:
        return {"id": self.id, "type": "message", "status": status, "role": "assistant", "content": list(self._parts)}

    def _part_event(self, kind: str, **fields: object) -> Event:
        return self._event(kind, content_index=len(self._parts) - 1, **fields)

    def _turn_to(self, kind: str) -> list[Event]:
        if self._parts and self._parts[-1]["type"] == kind:
            return []
        events = self._end_part()
        part: Json = {"type": "refusal", "refusal": ""}
        if kind == "output_text":
            part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        self._parts.append(part)
        events.append(self._part_event("content_part.added", part=dict(part)))
        return events

    def _end_part(self) -> list[Event]:
        if not self._parts:
            return []
        part, text = self._parts[-1], "".join(self._texts)
        self._texts = []
        if part["type"] == "refusal":
            part["refusal"] = text
            done = self._part_event("refusal.done", refusal=text)
        else:
            part |= {"text": text, "logprobs": self._logprobs}
            briefly = [_briefly(one) for one in self._logprobs]
            self._logprobs = []
            done = self._part_event("output_text.done", text=text, logprobs=briefly)
        return [done, self._part_event("content_part.done", part=part)]


class Call(Base):
    """A call of a function. `answers` is the id by which its output comes back."""

    prefix = "fc"

    def __init__(self, say: Say, index: int, base: str, tool: Tool, answers: str) -> None:
        super().__init__(say, index, f"{self.prefix}_{base}_{index}")
        self.tool = tool
        self.answers = answers
        self._arguments: list[str] = []

    def open(self) -> list[Event]:
        return [self._whole("added", self._item("in_progress", ""))]

    def add(self, arguments: str) -> list[Event]:
        self._arguments.append(arguments)
        return [self._event("function_call_arguments.delta", delta=arguments)] if arguments else []

    def close(self, status: str) -> tuple[list[Event], Json]:
        events = [] if any(self._arguments) else self.add("{}")
        arguments = "".join(self._arguments)
        item = self._item(status, arguments)
        done = self._event("function_call_arguments.done", arguments=arguments)
        return [*events, done, self._whole("done", item)], item

    def _item(self, status: str, given: str) -> Json:
        return self._named({"type": "function_call", "status": status, "arguments": given})

    def _named(self, item: Json) -> Json:
        named = {"id": self.id, "call_id": self.answers, "name": self.tool.name, **item}
        return named if self.tool.namespace is None else {**named, "namespace": self.tool.namespace}


class CustomCall(Call):
    prefix = "ctc"

    def __init__(self, say: Say, index: int, base: str, tool: Tool, answers: str) -> None:
        super().__init__(say, index, base, tool, answers)
        self._freeform = Freeform()

    def add(self, arguments: str) -> list[Event]:
        return self._delta(self._freeform.add(arguments))

    def close(self, status: str) -> tuple[list[Event], Json]:
        events = self._delta(self._freeform.end())
        item = self._item(status, self._freeform.text)
        done = self._event("custom_tool_call_input.done", input=self._freeform.text)
        return [*events, done, self._whole("done", item)], item

    def _delta(self, text: str) -> list[Event]:
        return [self._event("custom_tool_call_input.delta", delta=text)] if text else []

    def _item(self, status: str, given: str) -> Json:
        return self._named({"type": "custom_tool_call", "status": status, "input": given})


class ShellCall(Call):
    """Its action is needed whole."""

    prefix = "lsh"

    def add(self, arguments: str) -> list[Event]:
        self._arguments.append(arguments)
        return []

    def close(self, status: str) -> tuple[list[Event], Json]:
        item = self._item(status, "".join(self._arguments))
        return [self._whole("done", item)], item

    def _item(self, status: str, given: str) -> Json:
        action = {"type": "exec", "env": {}, **_read_action(given)}
        return {"id": self.id, "type": "local_shell_call", "status": status, "call_id": self.answers, "action": action}


class _Action(msgspec.Struct, omit_defaults=True):
    command: list[str]
    working_directory: str | None = None
    timeout_ms: int | None = None


_actions = msgspec.json.Decoder(_Action)

CALLS: dict[Kind, type[Call]] = {Kind.FUNCTION: Call, Kind.CUSTOM: CustomCall, Kind.LOCAL_SHELL: ShellCall}


def _read_action(arguments: str) -> Json:
    try:
        action: Json = msgspec.to_builtins(_actions.decode(arguments))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return {"command": []}
    return action


def _summary(text: str) -> Json:
    return {"type": "summary_text", "text": text}


def _briefly(logprob: Json) -> Json:
    """As events have it: without bytes."""
    top = [{"token": one["token"], "logprob": one["logprob"]} for one in logprob["top_logprobs"]]
    return {"token": logprob["token"], "logprob": logprob["logprob"], "top_logprobs": top}
