"""The output items of a response as pieces of one message, however much of them was streamed before they came whole."""

import zlib
from typing import NamedTuple

from gateway.wire.events import Json
from gateway.wire.openai_responses.messages import FORMAT

# Between two messages, and between two parts of the reasoning.
PARAGRAPH = "\n\n"

# Of delta events: the item's type, the part's, and the member with the part's index.
_TEXTS = {
    "response.output_text.delta": ("message", "output_text", "content_index"),
    "response.refusal.delta": ("message", "refusal", "content_index"),
    "response.reasoning_summary_text.delta": ("reasoning", "summary_text", "summary_index"),
    "response.reasoning_text.delta": ("reasoning", "reasoning_text", "content_index"),
}
_REASONING = {"summary": "summary_text", "content": "reasoning_text"}
_MEMBER = {"output_text": "content", "refusal": "refusal"}
# Calls by their item's type: the type in a chat completion, and the member with the model's input.
_CALLS = {"function_call": ("function", "arguments"), "custom_tool_call": ("custom", "input")}
_INPUTS = {
    "response.function_call_arguments.delta": ("function_call", "delta"),
    "response.function_call_arguments.done": ("function_call", "arguments"),
    "response.custom_tool_call_input.delta": ("custom_tool_call", "delta"),
    "response.custom_tool_call_input.done": ("custom_tool_call", "input"),
}


class Piece(NamedTuple):
    """A `delta`, and the log probabilities of its tokens."""

    delta: Json
    logprobs: list[Json] | None = None


class _Sent:
    """How much of a text was given: its length, and a checksum to know it again."""

    __slots__ = ("_checksum", "_length")

    def __init__(self) -> None:
        self._length = self._checksum = 0

    def add(self, text: str) -> None:
        self._length += len(text)
        self._checksum = _checksum(text, self._checksum)

    def rest(self, whole: str) -> str:
        """Nothing, if it is another text that came whole: arguments written anew with other spaces, say."""
        known = _checksum(whole[: self._length]) == self._checksum
        return whole[self._length :] if known else ""


def _checksum(text: str, before: int = 0) -> int:
    return zlib.crc32(text.encode(errors="surrogatepass"), before)


class _Part:
    """How much of a part was given; `start` is where its text begins in the message's."""

    __slots__ = ("annotations", "logprobs", "sent", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.sent = _Sent()
        self.logprobs = self.annotations = 0


class _Item:
    __slots__ = ("call", "kind", "parts", "sent", "told")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.parts: dict[tuple[str, int], _Part] = {}
        self.call: int | None = None
        self.sent = _Sent()
        self.told = False


class Output:
    """One message in the making. What an event or an item has that was not given yet is returned, and given then.

    An item is known by its index, its id or its call's: llama.cpp's server sends no index, others an id that changes.
    """

    def __init__(self) -> None:
        self.calls = 0
        self._items: dict[object, _Item] = {}
        self._length = 0
        self._speaker: _Item | None = None
        self._thought: _Part | None = None

    def read(self, kind: str, event: Json) -> list[Piece]:
        """Of an event about a part of an item."""
        if (text := _TEXTS.get(kind)) is not None:
            item, part, member = text
            return self._say(self._of(item, event), part, _index(event.get(member)), event)
        if (given := _INPUTS.get(kind)) is not None:
            found = self._of(given[0], event)
            return self._fill(found, event.get(given[1]), whole=given[1] != "delta")
        if kind == "response.output_text.annotation.added":
            part_read = self._part(self._of("message", event), "output_text", _index(event.get("content_index")))
            part_read.annotations += 1
            return _cite([event.get("annotation")], part_read.start)
        return []

    def add(self, item: object, index: object) -> list[Piece]:
        """An item that has begun."""
        if not isinstance(item, dict):
            return []
        found = self._find(item, index)
        return self._open(found, item) if found.kind in _CALLS and isinstance(item.get("name"), str) else []

    def complete(self, item: object, index: object) -> list[Piece]:
        """A whole item."""
        if not isinstance(item, dict):
            return []
        found = self._find(item, index)
        if found.kind in _CALLS:
            opened = self._open(found, item)
            return opened + self._fill(found, item.get(_CALLS[found.kind][1]), whole=True)
        if found.kind not in ("message", "reasoning"):
            return []
        pieces = []
        for member in ("summary", "content"):
            for i, part in enumerate(_objects(item.get(member))):
                kind = part.get("type") if found.kind == "message" else _REASONING[member]
                pieces += self._finish(found, kind, i, part)
        return pieces + _recall(found, item) if found.kind == "reasoning" else pieces

    def _of(self, kind: str, event: Json) -> _Item:
        return self._known(kind, event.get("output_index"), event.get("item_id"))

    def _find(self, item: Json, index: object) -> _Item:
        kind = item.get("type")
        return self._known(kind if isinstance(kind, str) else "", index, item.get("id"), item.get("call_id"))

    def _known(self, kind: str, *names: object) -> _Item:
        """What has none of the names is the last of its kind that has none."""
        given: list[object] = [name for name in names if isinstance(name, int | str) and name != ""] or [(kind,)]
        known = [item for name in given if (item := self._items.get(name)) is not None and item.kind == kind]
        item = known[0] if known else _Item(kind)
        for name in given:
            if name not in self._items or self._items[name].kind != kind:
                self._items[name] = item
        return item

    def _part(self, item: _Item, kind: str, index: int) -> _Part:
        part = item.parts.get((kind, index))
        if part is None:
            apart = kind == "output_text" and self._length and self._speaker is not item
            part = item.parts[kind, index] = _Part(self._length + (len(PARAGRAPH) if apart else 0))
        return part

    def _say(self, item: _Item, kind: str, index: int, event: Json) -> list[Piece]:
        text = event.get("delta")
        if not isinstance(text, str) or not text:
            return []
        part = self._part(item, kind, index)
        part.sent.add(text)
        if item.kind == "reasoning":
            between = PARAGRAPH if self._thought is not None and self._thought is not part else ""
            self._thought = part
            return [Piece({"reasoning_content": between + text})]
        if kind == "output_text":
            if self._speaker is not item:
                text = PARAGRAPH + text if self._length else text
                self._speaker = item
            self._length += len(text)
        logprobs = _read_logprobs(event.get("logprobs"))
        part.logprobs += len(logprobs)
        return [Piece({_MEMBER[kind]: text}, logprobs or None)]

    def _finish(self, item: _Item, kind: object, index: int, whole: Json) -> list[Piece]:
        """What is left of a part; of a message's it may be one that means nothing here."""
        if not isinstance(kind, str) or (item.kind == "message" and kind not in _MEMBER):
            return []
        text = whole.get("refusal" if kind == "refusal" else "text")
        part = self._part(item, kind, index)
        rest: Json = {"delta": part.sent.rest(text) if isinstance(text, str) else ""}
        logprobs, annotations = whole.get("logprobs"), whole.get("annotations")
        if isinstance(logprobs, list):
            rest["logprobs"] = logprobs[part.logprobs :]
        pieces = self._say(item, kind, index, rest)
        if isinstance(annotations, list):
            new = annotations[part.annotations :]
            part.annotations += len(new)
            pieces += _cite(new, part.start)
        return pieces

    def _open(self, found: _Item, item: Json) -> list[Piece]:
        if found.call is not None:
            return []
        found.call, self.calls = self.calls, self.calls + 1
        kind, member = _CALLS[found.kind]
        names = (item.get("call_id"), item.get("id"), f"call_{found.call}")
        call_id = next(name for name in names if isinstance(name, str) and name)
        name = item.get("name")
        inner = {"name": name if isinstance(name, str) else "", member: ""}
        return [Piece({"tool_calls": [{"index": found.call, "id": call_id, "type": kind, kind: inner}]})]

    def _fill(self, found: _Item, text: object, *, whole: bool) -> list[Piece]:
        """Of a call that has no name yet nothing can be given; it is there when the item is whole."""
        if found.call is None or not isinstance(text, str):
            return []
        rest = found.sent.rest(text) if whole else text
        found.sent.add(rest)
        kind, member = _CALLS[found.kind]
        return [Piece({"tool_calls": [{"index": found.call, kind: {member: rest}}]})] if rest else []


def _index(value: object) -> int:
    return value if isinstance(value, int) else 0


def _texts(parts: object) -> list[str]:
    given = parts if isinstance(parts, list) else []
    return [part["text"] for part in given if isinstance(part, dict) and isinstance(part.get("text"), str)]


def _recall(found: _Item, item: Json) -> list[Piece]:
    """What the next turn needs of reasoning: the encrypted item, or its text where the server shows it."""
    detail: Json = {"format": FORMAT}
    if isinstance(name := item.get("id"), str) and name:
        detail["id"] = name
    encrypted, texts = item.get("encrypted_content"), _texts(item.get("content"))
    if isinstance(encrypted, str) and encrypted:
        detail |= {"type": "reasoning.encrypted", "data": encrypted, "summary": _texts(item.get("summary"))}
    elif any(texts):
        detail |= {"type": "reasoning.text", "text": PARAGRAPH.join(texts)}
    if found.told or "type" not in detail:
        return []
    found.told = True
    return [Piece({"reasoning_details": [detail]})]


def _cite(annotations: list[object], start: int) -> list[Piece]:
    """Chat completions cite URLs only; their indices count from where the message begins."""
    cited = []
    for given in annotations:
        if not isinstance(given, dict) or given.get("type") != "url_citation":
            continue
        first, last, url, title = (given.get(name) for name in ("start_index", "end_index", "url", "title"))
        if isinstance(first, int) and isinstance(last, int) and isinstance(url, str):
            shown = title if isinstance(title, str) else ""
            citation = {"start_index": start + first, "end_index": start + last, "url": url, "title": shown}
            cited.append({"type": "url_citation", "url_citation": citation})
    return [Piece({"annotations": cited})] if cited else []


def _read_logprobs(logprobs: object) -> list[Json]:
    read = []
    for one in logprobs if isinstance(logprobs, list) else ():
        if isinstance(one, dict) and isinstance(one.get("token"), str):
            read.append({**_token(one), "top_logprobs": [_token(top) for top in _objects(one.get("top_logprobs"))]})
    return read


def _objects(values: object) -> list[Json]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _token(one: Json) -> Json:
    return {name: one.get(name) for name in ("token", "logprob", "bytes")}
