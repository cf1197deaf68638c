"""Input items as chat messages: what the model did in one turn is one assistant message."""

from collections.abc import Callable

import msgspec

from gateway.core.errors import Inexpressible, InvalidValue, MissingParameter
from gateway.wire.events import Json
from gateway.wire.responses_openai import member
from gateway.wire.responses_openai.content import Content, check, plain
from gateway.wire.responses_openai.fields import FIELDS
from gateway.wire.responses_openai.reasoning import FORMAT, is_sealed, unseal
from gateway.wire.responses_openai.tools import LOCAL_SHELL, chat_name
from gateway.wire.translation import How

_ELSEWHERE = "The output is in the message after the tool outputs."


class Conversation:
    """`read` the items one by one, then take the `messages`."""

    def __init__(self) -> None:
        self._content = Content()
        self._messages: list[Json] = []
        self._turn: Json = {}
        self._attached: list[Json] = []
        self._signatures: dict[str, str] = {}
        self.dropped = self._content.dropped

    def read(self, item: Json, path: str) -> None:
        kind = member.maybe_text(item, "type", path)
        if kind is None:
            kind = "message" if "role" in item else "item_reference"
        if (reader := _READERS.get(kind)) is not None:
            reader(self, item, path)
            return
        field = FIELDS.get(f"input.{kind}")
        if field is None or field.how is not How.DROPPED or "." in kind:
            raise Inexpressible(param=path)
        self.dropped.append(f"input.{kind}")

    def add(self, message: Json) -> None:
        self._end_turn()
        self._attach()
        self._messages.append(message)

    def messages(self) -> list[Json]:
        self._end_turn()
        self._attach()
        return _with_one_start(self._messages)

    def _message(self, item: Json, path: str) -> None:
        role = member.text(item, "role", path)
        if role not in ("user", "assistant", "system", "developer"):
            raise InvalidValue(param=f"{path}.role")
        if item.get("phase") is not None:
            self.dropped.append("input.message.phase")
        parts, at = self._content.parts(item, "content", path), f"{path}.content"
        if role == "assistant":
            check(parts, ("text", "refusal"), at)
            self._say(parts)
        elif role == "user":
            check(parts, ("text", "image_url", "file", "input_audio"), at)
            self.add({"role": "user", "content": plain(parts)})
        else:
            check(parts, ("text",), at)
            self.add({"role": "system", "content": plain(parts)})

    def _say(self, parts: list[Json]) -> None:
        """Between a call and its output there is no other message: what was said after a call is said before it."""
        turn = self._open_turn()
        if not turn.get("tool_calls") and ("content" in turn or "refusal" in turn):
            turn = self._open_turn(new=True)
        for name, kind in (("content", "text"), ("refusal", "refusal")):
            said = "".join(part[kind] for part in parts if part["type"] == kind)
            if said or (kind == "text" and not any(part["type"] == "refusal" for part in parts)):
                turn[name] = turn.get(name, "") + said

    def _function_call(self, item: Json, path: str) -> None:
        name = chat_name(member.text(item, "name", path), member.maybe_text(item, "namespace", path))
        self._call(item, path, name, member.text(item, "arguments", path))

    def _custom_call(self, item: Json, path: str) -> None:
        name = chat_name(member.text(item, "name", path), member.maybe_text(item, "namespace", path))
        self._call(item, path, name, _encode({"input": member.text(item, "input", path)}))

    def _shell_call(self, item: Json, path: str) -> None:
        action = member.maybe_object(item, "action", path)
        if action is None:
            raise MissingParameter(param=f"{path}.action")
        at = f"{path}.action"
        arguments: Json = {"command": member.maybe_list(action, "command", at)}
        if not all(isinstance(word, str) for word in arguments["command"]):
            raise InvalidValue(param=f"{at}.command")
        if (directory := member.maybe_text(action, "working_directory", at)) is not None:
            arguments["working_directory"] = directory
        self._call(item, path, LOCAL_SHELL, _encode(arguments))

    def _call(self, item: Json, path: str, name: str, arguments: str) -> None:
        call = {
            "id": member.text(item, "call_id", path),
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        }
        self._open_turn().setdefault("tool_calls", []).append(call)

    def _output(self, item: Json, path: str) -> None:
        parts = self._content.parts(item, "output", path)
        texts = [part for part in parts if part["type"] == "text"]
        others = [part for part in parts if part["type"] not in ("text", "refusal")]
        self._answer(member.text(item, "call_id", path), texts, others)

    def _shell_output(self, item: Json, path: str) -> None:
        """Of this item the id is the call's."""
        name = "call_id" if "call_id" in item else "id"
        self._answer(member.text(item, name, path), [{"type": "text", "text": member.text(item, "output", path)}], [])

    def _answer(self, call_id: str, texts: list[Json], others: list[Json]) -> None:
        """Tool messages have texts only, and no other message may come between them."""
        self._end_turn()
        content = plain(texts) if texts else (_ELSEWHERE if others else "")
        self._messages.append({"role": "tool", "tool_call_id": call_id, "content": content})
        self._attached += others

    def _reasoning(self, item: Json, path: str) -> None:
        names = ("content", "summary") if item.get("content") else ("summary",)
        texts = (
            [part.get("text", "") for part in self._content.parts(item, names[0], path)] if item.get(names[0]) else []
        )
        member.maybe_list(item, "summary", path)
        token = member.maybe_text(item, "encrypted_content", path)
        sealed = unseal(token, f"{path}.encrypted_content") if token and is_sealed(token) else None
        turn = self._open_turn()
        if "content" in turn and not turn.get("tool_calls") and (texts or sealed is None):
            turn = self._open_turn(new=True)
        if told := "\n\n".join(text for text in texts if text):
            turn["reasoning_content"] = "\n\n".join(filter(None, (turn.get("reasoning_content"), told)))
        if sealed is not None:
            turn.setdefault("reasoning_details", []).extend(sealed.details)
            self._signatures.update(sealed.signatures)
        elif token:
            detail = {"type": "reasoning.encrypted", "data": token, "format": FORMAT}
            if (name := member.maybe_text(item, "id", path)) is not None:
                detail["id"] = name
            turn.setdefault("reasoning_details", []).append(detail)

    def _open_turn(self, *, new: bool = False) -> Json:
        if new:
            self._end_turn()
        self._attach()
        return self._turn

    def _end_turn(self) -> None:
        """Reasoning that led to nothing is not sent: no upstream takes a message without content."""
        turn, self._turn = self._turn, {}
        if not turn.keys() & {"content", "refusal", "tool_calls"}:
            return
        for call in turn.get("tool_calls", ()):
            if (signature := self._signatures.get(call["id"])) is not None:
                call["extra_content"] = {"google": {"thought_signature": signature}}
        if not turn.get("reasoning_details", True):
            del turn["reasoning_details"]
        self._messages.append({"role": "assistant", "content": turn.pop("content", None), **turn})

    def _attach(self) -> None:
        if self._attached:
            self._messages.append({"role": "user", "content": self._attached})
            self._attached = []


_READERS: dict[str, Callable[[Conversation, Json, str], None]] = {
    "message": Conversation._message,
    "function_call": Conversation._function_call,
    "function_call_output": Conversation._output,
    "custom_tool_call": Conversation._custom_call,
    "custom_tool_call_output": Conversation._output,
    "local_shell_call": Conversation._shell_call,
    "local_shell_call_output": Conversation._shell_output,
    "reasoning": Conversation._reasoning,
}


def _encode(arguments: Json) -> str:
    return msgspec.json.encode(arguments).decode()


def _with_one_start(messages: list[Json]) -> list[Json]:
    """Many chat templates take one system message, and only as the first."""
    count = next((i for i, message in enumerate(messages) if message["role"] != "system"), len(messages))
    texts = [message["content"] for message in messages[:count]]
    if count < 2 or not all(isinstance(text, str) for text in texts):
        return messages
    return [{"role": "system", "content": "\n\n".join(texts)}, *messages[count:]]
