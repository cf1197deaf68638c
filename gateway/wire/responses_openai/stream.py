"""Chat completion chunks as the events of a Responses stream."""

from gateway.wire.events import Event, Json
from gateway.wire.responses_openai.calls import Slot, Slots
from gateway.wire.responses_openai.delta import read_choice, read_logprobs, read_text, read_thinking
from gateway.wire.responses_openai.items import CALLS, Item, Message, Reasoning
from gateway.wire.responses_openai.response import Frame, read_error, read_usage
from gateway.wire.responses_openai.tools import Toolbox

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


class Writer:
    """One answer. Text and reasoning end where something else begins, calls with the finish reason."""

    def __init__(self, asked: Json) -> None:
        self._tools = Toolbox(asked.get("tools"))
        self._frame = Frame(asked)
        self._base = ""
        self._number = self._items = 0
        self._output: dict[int, Json] = {}
        self._open: Message | Reasoning | None = None
        self._slots = Slots()
        self._reason = ""
        self._usage: Json | None = None
        self._tier: Json = {}
        self._over = False

    def write(self, chunk: Json) -> list[Event]:
        if self._over:
            return []
        if error := chunk.get("error"):
            return self.fail(error if isinstance(error, dict) else {"message": error})
        events = self._start(chunk)
        self._usage = read_usage(chunk.get("usage")) or self._usage
        if chunk.get("service_tier"):
            self._tier = {"service_tier": chunk["service_tier"]}
        if (choice := read_choice(chunk)) is None:
            return events
        events += self._delta(choice)
        if isinstance(reason := choice.get("finish_reason"), str) and reason:
            self._reason = reason
            events += self._close_all()
        return events

    def end(self) -> list[Event]:
        if self._over:
            return []
        events = [*self._start({}), *self._close_all()]
        self._over = True
        reason = _INCOMPLETE.get(self._reason)
        if reason is None:
            return [*events, self._say("response.completed", {"response": self._response("completed")})]
        response = self._response("incomplete", incomplete_details={"reason": reason})
        return [*events, self._say("response.incomplete", {"response": response})]

    def fail(self, error: Json) -> list[Event]:
        """Codex reads `response.failed` alone; OpenAI's SDKs raise for an event with an `error` in it, and stop."""
        if self._over:
            return []
        events = self._start({})
        self._over = True
        told, failure = read_error(error)
        flat = {name: told[name] for name in ("code", "message", "param")}
        events.append(self._say("error", {**flat, "error": told}))
        events.append(self._say("response.failed", {"response": self._response("failed", error=failure)}))
        return events

    def _say(self, kind: str, fields: Json) -> Event:
        event = Event(kind, {"type": kind, "sequence_number": self._number, **fields})
        self._number += 1
        return event

    def _response(self, status: str, **more: object) -> Json:
        output = [self._output[index] for index in sorted(self._output)]
        return self._frame.response(status, output, self._tier, usage=self._usage, **more)

    def _start(self, chunk: Json) -> list[Event]:
        if self._base:
            return []
        self._base = self._frame.start(chunk)
        kinds = ("response.created", "response.in_progress")
        return [self._say(kind, {"response": self._response("in_progress")}) for kind in kinds]

    def _delta(self, choice: Json) -> list[Event]:
        delta = choice["delta"]
        events = self._think(delta)
        if text := read_text(delta.get("content")):
            events += self._speak(text, read_logprobs(choice.get("logprobs")))
        if refusal := read_text(delta.get("refusal")):
            events += self._refuse(refusal)
        calls = delta.get("tool_calls")
        for fragment in calls if isinstance(calls, list) else ():
            if isinstance(fragment, dict):
                events += self._call(fragment)
        return events

    def _think(self, delta: Json) -> list[Event]:
        """Texts that are in the details as well are said once."""
        details, text = delta.get("reasoning_details"), read_thinking(delta)
        if not text and not (isinstance(details, list) and details):
            return []
        item, events = self._reasoning()
        told = item.details.add(details)
        return [*events, *item.add(text or told)] if text or told else events

    def _speak(self, text: str, logprobs: list[Json]) -> list[Event]:
        item, events = self._message()
        return [*events, *item.add_text(text, logprobs)]

    def _refuse(self, text: str) -> list[Event]:
        item, events = self._message()
        return [*events, *item.add_refusal(text)]

    def _reasoning(self) -> tuple[Reasoning, list[Event]]:
        if isinstance(self._open, Reasoning):
            return self._open, []
        events = self._close_open()
        self._open = item = Reasoning(self._say, self._take_index(), self._base)
        return item, [*events, *item.open()]

    def _message(self) -> tuple[Message, list[Event]]:
        if isinstance(self._open, Message):
            return self._open, []
        events = self._close_open()
        self._open = item = Message(self._say, self._take_index(), self._base)
        return item, [*events, *item.open()]

    def _call(self, fragment: Json) -> list[Event]:
        slot = self._slots.find(fragment)
        slot.add(fragment)
        events = self._start_call(slot) if slot.call is None and slot.name else []
        if slot.call is not None and (arguments := slot.take()):
            events += slot.call.add(arguments)
        if slot.call is not None and slot.signature is not None:
            events += [*self._sign(slot.call.answers, slot), *self._close_open()]
        return events

    def _start_call(self, slot: Slot) -> list[Event]:
        """A signature that came with the name goes into the reasoning before the call."""
        answers = self._slots.answers(slot, f"call_{self._base}_{self._items}")
        events = [*self._sign(answers, slot), *self._close_open()]
        tool = self._tools.tool(slot.name)
        slot.call = CALLS[tool.kind](self._say, self._take_index(), self._base, tool, answers)
        return [*events, *slot.call.open()]

    def _sign(self, answers: str, slot: Slot) -> list[Event]:
        signature, slot.signature = slot.signature, None
        if signature is None:
            return []
        item, events = self._reasoning()
        item.signatures[answers] = signature
        return events

    def _take_index(self) -> int:
        self._items += 1
        return self._items - 1

    def _close_open(self, status: str = "completed") -> list[Event]:
        item, self._open = self._open, None
        return [] if item is None else self._close(item, status)

    def _close_all(self) -> list[Event]:
        status = "incomplete" if self._reason in _INCOMPLETE else "completed"
        events = self._close_open(status)
        for call in self._slots.take_all():
            events += self._close(call, status)
        return events

    def _close(self, item: Item, status: str) -> list[Event]:
        events, whole = item.close(status)
        self._output[item.index] = whole
        return events
