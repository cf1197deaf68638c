"""Turns of a conversation as chat messages.

Chat completions want the results of a turn's tool calls as messages of their own directly after it, so they go
before whatever else the user said since, and images, which tool messages can't hold, after them.
"""

from gateway.core.errors import InvalidValue
from gateway.wire.anthropic_openai.parts import Parts, plainest, read_block, read_parts
from gateway.wire.anthropic_openai.reasoning import THOUGHT, unmark
from gateway.wire.anthropic_openai.tools import short_name
from gateway.wire.anthropic_openai.values import Lookup, encode, read_flag
from gateway.wire.events import Json
from gateway.wire.expect import a_list, a_name, a_text, an_object

_BILLING = "x-anthropic-billing-header:"
_OF_SYSTEM = ("text", "tool_addition", "tool_removal")
_ERROR = "Error:"
_ATTACHED = {"type": "text", "text": "[What is not text is attached to the next user message.]"}


class Turns:
    """Reads one message after the other; then `close` has the chat messages."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._messages: list[Json] = []
        # Since the assistant's last turn.
        self._results: list[Json] = []
        self._others: list[Json] = []

    def system(self, content: object) -> None:
        """Of the request. Claude Code's billing header would keep every prompt cache from being hit."""
        parts = read_parts(content, "system", self._lookup, _OF_SYSTEM)
        if parts := [part for part in parts if not part["text"].startswith(_BILLING)]:
            self._messages.append({"role": "system", "content": plainest(parts)})

    def close(self) -> list[Json]:
        self._messages += self._results + self._others
        self._results, self._others = [], []
        return self._messages

    def add(self, message: Json, at: str) -> None:
        role, content, within = message.get("role"), message.get("content"), f"{at}.content"
        if role == "user":
            self._user(content, within)
        elif role == "assistant":
            self._assistant(content, within)
        elif role == "system":
            if parts := read_parts(content, within, self._lookup, _OF_SYSTEM):
                self._others.append({"role": "system", "content": plainest(parts)})
        else:
            raise InvalidValue(param=f"{at}.role")

    def _user(self, content: object, at: str) -> None:
        said: Parts = []
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else a_list(content, at)
        attached: Parts = []
        for n, given in enumerate(blocks):
            block = an_object(given, f"{at}[{n}]")
            if block.get("type") == "tool_result":
                attached += self._result(block, f"{at}[{n}]")
            else:
                said += read_block(block, f"{at}[{n}]", self._lookup)
        if parts := attached + said:
            self._others.append({"role": "user", "content": plainest(parts)})

    def _result(self, block: Json, at: str) -> Parts:
        """Puts the tool message where it belongs. What it can't hold is returned."""
        self._lookup.members("messages.content.tool_result", block)
        call = a_name(block.get("tool_use_id"), f"{at}.tool_use_id")
        content = block.get("content")
        parts = [] if content is None else read_parts(content, f"{at}.content", self._lookup)
        texts = [part for part in parts if part["type"] == "text"]
        attached = [part for part in parts if part["type"] != "text"]
        if attached:
            texts.append(dict(_ATTACHED))
            attached.insert(0, {"type": "text", "text": f"Attached to the tool result {call}:"})
        said = plainest(texts)
        if read_flag(block.get("is_error"), f"{at}.is_error"):
            said = f"{_ERROR} {said}" if isinstance(said, str) else [{"type": "text", "text": _ERROR}, *said]
        message: Json = {"role": "tool", "tool_call_id": call, "content": said}
        if (mark := block.get("cache_control")) is not None:
            message["cache_control"] = an_object(mark, f"{at}.cache_control")
        self._results.append(message)
        return attached

    def _assistant(self, content: object, at: str) -> None:
        turn = _AssistantTurn(self._lookup)
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else a_list(content, at)
        for n, given in enumerate(blocks):
            turn.add(an_object(given, f"{at}[{n}]"), f"{at}[{n}]")
        message = turn.message()
        self.close()
        if len(message) > 2 or message["content"]:
            self._messages.append(message)


class _AssistantTurn:
    """One message for all that the model said before the user's turn."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._parts: Parts = []
        self._calls: list[Json] = []
        self._thoughts: list[str] = []
        self._details: list[Json] = []
        self._thought_signature: str | None = None
        self._cache_control: Json | None = None

    def add(self, block: Json, at: str) -> None:
        kind = block.get("type")
        if kind == "tool_use":
            self._call(block, at)
        elif kind == "thinking":
            self._lookup.members("messages.content.thinking", block)
            text = a_text(block.get("thinking"), f"{at}.thinking")
            self._think(text, a_text(block.get("signature") or "", f"{at}.signature"))
        elif kind == "redacted_thinking":
            self._lookup.members("messages.content.redacted_thinking", block)
            data, whose = unmark(a_name(block.get("data"), f"{at}.data"))
            if whose["format"] == THOUGHT:
                self._thought_signature = data
            else:
                self._details.append({"type": "reasoning.encrypted", "data": data, **whose})
        else:
            self._parts += read_block(block, at, self._lookup)

    def message(self) -> Json:
        message: Json = {"role": "assistant", "content": plainest(self._parts)}
        if self._calls:
            message["content"] = message["content"] or None
            message["tool_calls"] = self._calls
        if self._thoughts:
            message["reasoning_content"] = "\n\n".join(self._thoughts)
        if self._details:
            message["reasoning_details"] = self._details
        if self._cache_control is not None:
            message["cache_control"] = self._cache_control
        return message

    def _think(self, text: str, signature: str) -> None:
        if text:
            self._thoughts.append(text)
        if signature:
            value, whose = unmark(signature)
            signed = {"signature": value} if value else {}
            self._details.append({"type": "reasoning.text", "text": text, **signed, **whose})

    def _call(self, block: Json, at: str) -> None:
        self._lookup.members("messages.content.tool_use", block)
        name = short_name(a_name(block.get("name"), f"{at}.name"))
        given = an_object(block.get("input"), f"{at}.input")
        call: Json = {
            "id": a_name(block.get("id"), f"{at}.id"),
            "type": "function",
            "function": {"name": name, "arguments": encode(given, f"{at}.input")},
        }
        if self._thought_signature is not None:
            call["extra_content"] = {"google": {"thought_signature": self._thought_signature}}
            self._thought_signature = None
        self._calls.append(call)
        if (mark := block.get("cache_control")) is not None:
            self._cache_control = an_object(mark, f"{at}.cache_control")
