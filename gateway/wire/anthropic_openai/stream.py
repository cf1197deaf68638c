"""A stream of chat completion chunks as the events of a message.

A message's blocks come one after another. Chat completions may mix the pieces of parallel tool calls; then the
later call waits until the arguments of the one before are a whole JSON object.
"""

from typing import TypeVar

from gateway.wire.anthropic_openai.answer import (
    Ending,
    message_id,
    read_content,
    read_model,
    read_thoughts,
    read_usage,
    thought_signature,
    tool_id,
)
from gateway.wire.anthropic_openai.block import Block, Redacted, Text, Thinking, ToolUse
from gateway.wire.anthropic_openai.calls import Calls
from gateway.wire.anthropic_openai.errors import read_error
from gateway.wire.anthropic_openai.reasoning import read_pieces, read_thought
from gateway.wire.anthropic_openai.tools import full_names
from gateway.wire.events import Event, Json

B = TypeVar("B", Text, Thinking)


class MessageWriter:
    """Fits EventWriter. Raises ProtocolFault for a tool call that never gets a name."""

    def __init__(self, asked: Json) -> None:
        self._asked = asked
        self._id = ""
        self._model = ""
        self._usage: object = None
        self._over = False
        self._index = 0
        self._blocks: list[Block] = []  # the first is being told, the others wait
        self._calls = Calls(full_names(asked))
        self._choice: Json = {}
        self._refused = False
        self._has_thought = False

    def write(self, chunk: Json) -> list[Event]:
        if self._over:
            return []
        if isinstance(error := chunk.get("error"), dict):
            return self.fail(error)
        self._usage = chunk.get("usage") or self._usage
        choice = _first(chunk.get("choices"))
        events = []
        if not self._id and (choice or chunk.get("id")):
            events.append(self._start(chunk))
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self._take(delta)
        if isinstance(choice.get("finish_reason"), str):
            self._choice = choice
        return events + self._tell(finished=bool(self._choice))

    def end(self) -> list[Event]:
        if self._over:
            return []
        self._over = True
        events = [] if self._id else [self._start({})]
        events += self._tell(finished=True)
        ending = Ending(self._choice, has_tools=self._calls.any, refused=self._refused)
        usage = read_usage(self._usage)
        delta = {"type": "message_delta", "delta": ending.told(self._asked), "usage": usage}
        return [*events, Event("message_delta", delta), Event("message_stop", {"type": "message_stop"})]

    def fail(self, error: Json) -> list[Event]:
        if self._over:
            return []
        self._over = True
        return [Event("error", read_error(error))]

    def _start(self, chunk: Json) -> Event:
        self._id = message_id(chunk.get("id"))
        message: Json = {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": read_model(chunk, self._asked),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": read_usage(self._usage),
        }
        return Event("message_start", {"type": "message_start", "message": message})

    def _take(self, delta: Json) -> None:
        """In the order of a plain answer, should one chunk have several.

        A signature that follows text is left out: Claude Code shows nothing of a message that ends with one.
        """
        content = delta.get("content")
        if thoughts := read_thoughts(content):
            self._last(Thinking).add(thoughts)
        for piece in read_pieces(delta, retold=self._has_thought):
            if piece.opaque:
                if not any(isinstance(block, Text | ToolUse) for block in self._blocks):
                    self._blocks.append(Redacted(piece.opaque))
                continue
            block = self._last(Thinking)
            block.add(piece.text)
            block.signature = piece.signature
        self._has_thought = self._has_thought or bool(read_thought(delta))
        for text in read_content(content):
            self._last(Text).add(text["text"])
        if isinstance(refusal := delta.get("refusal"), str) and refusal:
            self._refused = True
            self._last(Text).add(refusal)
        calls = delta.get("tool_calls")
        for piece in calls if isinstance(calls, list) else ():
            if isinstance(piece, dict):
                self._take_call(piece)

    def _take_call(self, piece: Json) -> None:
        call = self._calls.find(piece)
        if call is None:
            if signature := thought_signature(piece):
                self._blocks.append(Redacted(signature))
            call = self._calls.add(piece, ToolUse(tool_id(None, self._id, self._calls.count)))
            self._blocks.append(call)
        self._calls.fill(call, piece)

    def _last(self, kind: type[B]) -> B:
        """The block that a piece belongs to: the last, or a new one after it."""
        last = self._blocks[-1] if self._blocks else None
        if isinstance(last, kind) and not (isinstance(last, Thinking) and last.signature):
            return last
        block = kind()
        self._blocks.append(block)
        return block

    def _tell(self, *, finished: bool) -> list[Event]:
        events: list[Event] = []
        while self._blocks:
            block = self._blocks[0]
            events += block.tell(self._index)
            if not finished and (len(self._blocks) == 1 or not block.whole):
                break
            events += block.close(self._index)
            self._index += 1
            del self._blocks[0]
        return events


def _first(choices: object) -> Json:
    """The one choice that a message is."""
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and not choice.get("index"):
            return choice
    return {}
