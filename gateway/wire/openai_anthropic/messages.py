"""The messages of a chat as `system` and turns that alternate."""

from collections.abc import Callable

from gateway.core.errors import Inexpressible, MissingParameter
from gateway.wire.events import Json
from gateway.wire.expect import a_list, a_text, an_object, invalid
from gateway.wire.openai_anthropic.calls import call_id, read_calls
from gateway.wire.openai_anthropic.content import ALL, ANSWERS, TEXTS, Dropped, cache_mark, read_content, text_blocks

FORMAT = "anthropic-claude-v1"

# What the first turn says where the chat begins with an answer: it has to be a user's, and not empty.
_OPENING = "."
_THOUGHTS = ("thinking", "redacted_thinking")


class Conversation:
    """`called` are the tools that the answers in it called."""

    def __init__(self, dropped: Dropped) -> None:
        self.system: list[Json] = []
        self.turns: list[Json] = []
        self.called: dict[str, None] = {}
        self._dropped = dropped
        self._readers: dict[str, Callable[[Json, str], None]] = {
            "system": self._instruct,
            "developer": self._instruct,
            "user": self._ask,
            "assistant": self._answer,
            "tool": self._report,
        }

    def read(self, messages: object) -> None:
        """Raises InvalidValue, MissingParameter, Inexpressible."""
        if messages is None:
            raise MissingParameter("`messages` is missing.", param="messages")
        for index, given in enumerate(a_list(messages, "messages")):
            at = f"messages[{index}]"
            self._read(an_object(given, at), at)
        self._trim()
        if not self.turns:
            # A chat of instructions alone is one that the user says.
            self._say("user", self.system)
            self.system = []
        if not self.turns:
            invalid("messages", "a list of messages, one with content at least")
        if self.turns[0]["role"] == "assistant":
            self.turns.insert(0, {"role": "user", "content": text_blocks(_OPENING)})

    @property
    def can_think(self) -> bool:
        """With a budget, an answer to be continued, or the one that called the tools, has to begin with thinking."""
        last = self.turns[-1]
        if last["role"] == "assistant":
            return False
        if len(self.turns) == 1 or not any(block["type"] == "tool_result" for block in last["content"]):
            return True
        return self.turns[-2]["content"][0]["type"] in _THOUGHTS

    def _read(self, message: Json, at: str) -> None:
        role = a_text(message.get("role"), f"{at}.role")
        if role == "function" or message.get("function_call") is not None:
            raise Inexpressible(param=f"{at}.role" if role == "function" else f"{at}.function_call")
        if role not in self._readers:
            invalid(f"{at}.role", "`system`, `developer`, `user`, `assistant` or `tool`")
        if message.get("name") is not None:
            self._dropped["messages.name"] = None
        self._readers[role](message, at)

    def _instruct(self, message: Json, at: str) -> None:
        blocks = read_content(message.get("content"), f"{at}.content", TEXTS, self._dropped)
        _mark(blocks, message, at)
        self.system += blocks

    def _ask(self, message: Json, at: str) -> None:
        blocks = read_content(message.get("content"), f"{at}.content", ALL, self._dropped)
        _mark(blocks, message, at)
        self._say("user", blocks)

    def _report(self, message: Json, at: str) -> None:
        result: Json = {
            "type": "tool_result",
            "tool_use_id": call_id(message.get("tool_call_id"), f"{at}.tool_call_id"),
        }
        given = message.get("content")
        content = read_content("" if given is None else given, f"{at}.content", ALL, self._dropped)
        if content:
            result["content"] = content
        _mark([result], message, at)
        self._say("user", [result])

    def _answer(self, message: Json, at: str) -> None:
        if message.get("audio") is not None:
            raise Inexpressible(param=f"{at}.audio")
        blocks = self._thoughts(message, at)
        given = message.get("content")
        blocks += read_content("" if given is None else given, f"{at}.content", ANSWERS, self._dropped)
        if message.get("refusal") is not None:
            blocks += text_blocks(a_text(message["refusal"], f"{at}.refusal"))
        calls = read_calls(message, at, self._dropped)
        self.called.update(dict.fromkeys(call["name"] for call in calls))
        blocks += calls
        _mark(blocks, message, at)
        self._say("assistant", blocks)

    def _thoughts(self, message: Json, at: str) -> list[Json]:
        """Only with the signature that they came with. A text may come in pieces, the signature last."""
        blocks: list[Json] = []
        text = ""
        given = message.get("reasoning_details")
        for index, one in enumerate(a_list(given or [], f"{at}.reasoning_details")):
            place = f"{at}.reasoning_details[{index}]"
            detail = an_object(one, place)
            if detail.get("format", FORMAT) != FORMAT:
                continue
            if detail.get("type") == "reasoning.encrypted":
                blocks.append({"type": "redacted_thinking", "data": a_text(detail.get("data"), f"{place}.data")})
                continue
            text += a_text(detail.get("text") or "", f"{place}.text")
            if detail.get("signature"):
                signature = a_text(detail["signature"], f"{place}.signature")
                blocks.append({"type": "thinking", "thinking": text, "signature": signature})
                text = ""
        if not blocks and message.get("reasoning_content") is not None:
            self._dropped["messages.reasoning_content"] = None
        return blocks

    def _say(self, role: str, blocks: list[Json]) -> None:
        if not blocks:
            return
        if self.turns and self.turns[-1]["role"] == role:
            self.turns[-1]["content"] += blocks
        else:
            self.turns.append({"role": role, "content": list(blocks)})

    def _trim(self) -> None:
        """An answer that is to be continued can't end with a thought or with white space."""
        if not self.turns or self.turns[-1]["role"] != "assistant":
            return
        content = self.turns[-1]["content"]
        while content and content[-1]["type"] in _THOUGHTS:
            content.pop()
        if not content:
            self.turns.pop()
        elif content[-1]["type"] == "text":
            content[-1]["text"] = content[-1]["text"].rstrip()


def _mark(blocks: list[Json], message: Json, at: str) -> None:
    mark = cache_mark(message, at)
    if mark is not None and blocks and blocks[-1]["type"] not in _THOUGHTS:
        blocks[-1]["cache_control"] = mark
