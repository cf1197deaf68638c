"""A caller and an upstream of different schemas: requests, answers and streams through chat completions."""

import time

import msgspec

from gateway.core.call import Ask
from gateway.core.clock import Clock
from gateway.core.errors import InvalidValue
from gateway.core.fault import Fault, ProtocolFault
from gateway.core.route import Target
from gateway.wire.body import has_more_parts
from gateway.wire.events import Event, Json, RawEvent
from gateway.wire.openai import add_defaults
from gateway.wire.pair import FORWARDED, Answered, Outgoing, Pair
from gateway.wire.reading import UNREADABLE, Reading, decode
from gateway.wire.sse import DONE_EVENT
from gateway.wire.translation import CallerTranslation, ChunkReader, EventWriter, Sent, UpstreamTranslation
from gateway.wire.usage import read_usage

# What the middle carries and OpenAI's own API does not know.
_OWN_OF_MESSAGES = ("reasoning_content", "reasoning_details", "cache_control")
_OWN_OF_PARTS = ("cache_control",)


class ChatUpstream:
    """An upstream that speaks chat completions itself. Fits UpstreamTranslation."""

    def request(self, chat: Json, target: Target) -> Sent:
        body = {**chat, "messages": [_plain(message) for message in chat["messages"]]}
        if "tools" in chat:
            body["tools"] = [_without(tool, _OWN_OF_PARTS) for tool in chat["tools"]]
        if not (body.get("stream") and target.upstream.stream_usage):
            body.pop("stream_options", None)
        else:
            body["stream_options"] = {"include_usage": True}
        return Sent(body)

    def answer(self, body: Json) -> Json:
        return body

    def reader(self) -> "ChatReader":
        return ChatReader()


def _plain(message: Json) -> Json:
    message = _without(message, _OWN_OF_MESSAGES)
    if isinstance(content := message.get("content"), list):
        message["content"] = _flat([_without(part, _OWN_OF_PARTS) for part in content])
    if isinstance(calls := message.get("tool_calls"), list):
        message["tool_calls"] = [_without(call, ("extra_content",)) for call in calls]
    return message


def _flat(parts: list[Json]) -> list[Json] | str:
    """Texts as one: many servers take nothing else but from users."""
    if all(part.get("type") == "text" for part in parts):
        return "\n\n".join([part["text"] for part in parts])
    return parts


def _without(value: Json, names: tuple[str, ...]) -> Json:
    return {name: member for name, member in value.items() if name not in names}


# Of a delta, beside its tool calls.
LISTS = ("reasoning_details", "annotations")
UNREADABLE_STREAM = "The provider's stream can't be read."
# What no stream is written by, and would be held as long as it runs.
_PROMPTS = ("messages", "input")
# To read and to write each takes some 10 µs, and a body must not hold up the others.
MAX_PARTS = 20_000
# What a chat upstream's last event stands for.
DONE: Json = {}


class ChatReader:
    """Chunks as they are. A stream is whole with `[DONE]`, or once every choice that began had its finish reason."""

    last_word = True

    def __init__(self) -> None:
        self.done = False
        self._begun: set[object] = set()
        self._ended: set[object] = set()

    def read(self, name: str, data: Json) -> list[Json]:
        if data is DONE:
            self.done = bool(self._begun)
            return []
        for choice in data.get("choices") or ():
            self._begun.add(choice.get("index", 0))
            if choice.get("finish_reason") is not None:
                self._ended.add(choice.get("index", 0))
        return [data]

    def end(self) -> list[Json]:
        self.done = self.done or (bool(self._ended) and self._begun == self._ended)
        return []


class ChatCaller:
    """A caller that speaks chat completions itself. Fits CallerTranslation."""

    def request(self, body: Json) -> Sent:
        return Sent(body)

    def answer(self, chat: Json, asked: Json) -> Json:
        return chat

    def writer(self, asked: Json) -> "ChatWriter":
        options = asked.get("stream_options")
        return ChatWriter(with_usage=isinstance(options, dict) and bool(options.get("include_usage")))


class ChatWriter:
    """Chunks as they are, lists with the indices that SDKs go by; the one of the usage only for who asked for it."""

    def __init__(self, *, with_usage: bool) -> None:
        self._with_usage = with_usage
        self._listed = 0

    def write(self, chunk: Json) -> list[Event]:
        if chunk.get("choices") == [] and chunk.get("usage") is not None and not self._with_usage:
            return []
        return [Event("", {**chunk, "choices": [self._indexed(choice) for choice in chunk.get("choices") or ()]})]

    def _indexed(self, choice: Json) -> Json:
        delta = choice.get("delta") or {}
        lists = [name for name in LISTS if name in delta]
        if not lists:
            return choice
        numbered: Json = {}
        for name in lists:
            numbered[name] = [{"index": self._listed + place, **one} for place, one in enumerate(delta[name])]
            self._listed += len(delta[name])
        return {**choice, "delta": {**delta, **numbered}}

    def end(self) -> list[Event]:
        return []

    def fail(self, error: Json) -> list[Event]:
        return [Event("", {"error": error})]


class Translated:
    """A Pair of two translations; `schema` says where and how the upstream is asked, and how it says what is wrong.

    `wall` is for upstreams that do not say when they answered.
    """

    forwards = FORWARDED
    opaque = False
    translates = True

    def __init__(
        self, caller: CallerTranslation, upstream: UpstreamTranslation, schema: Pair, wall: Clock = time.time
    ) -> None:
        self._caller = caller
        self._upstream = upstream
        self._wall = wall
        self.read_status = schema.read_status
        self.read_failure = schema.read_failure
        self.path = schema.path
        self._last_words = DONE_EVENT if isinstance(caller, ChatCaller) else b""

    def request(self, ask: Ask, target: Target) -> Outgoing:
        """Raises a Refusal."""
        if has_more_parts(b",".join(map(bytes, ask.fields.values())), MAX_PARTS):
            raise InvalidValue("The request has too many members to be translated.")
        try:
            asked: Json = {name: msgspec.json.decode(raw) for name, raw in ask.fields.items()}
            chat, dropped = self._caller.request({**asked, "model": target.remote})
            add_defaults(chat, target.model.defaults)
            body, also = self._upstream.request(chat, target)
        except UNREADABLE:
            raise InvalidValue("The request can't be read.") from None
        return Outgoing(msgspec.json.encode(body), (*dropped, *also), asked)

    def scanner(self, ask: Ask, outgoing: Outgoing) -> "TranslatedStream":
        asked = {name: value for name, value in (outgoing.asked or {}).items() if name not in _PROMPTS}
        reader, writer = self._upstream.reader(), self._caller.writer(asked)
        return TranslatedStream(reader, writer, self._last_words, int(self._wall()))

    def read_answer(self, body: bytes, outgoing: Outgoing) -> Answered:
        try:
            answer = decode(body)
            if "error" in answer and answer["error"] is not None:
                raise self.read_failure(200, body)
            chat = self._upstream.answer(answer)
            chat = {**chat, "created": chat.get("created") or int(self._wall())}
            usage = chat.get("usage")
            told = self._caller.answer(chat, outgoing.asked or {})
            return Answered(read_usage(msgspec.json.encode(usage)) if usage else None, msgspec.json.encode(told))
        except Fault:
            raise
        except UNREADABLE:
            raise ProtocolFault from None


class TranslatedStream(Reading):
    """One stream of an upstream, as the caller's events."""

    __slots__ = ("_created", "_last_words", "_reader", "_writer")

    def __init__(self, reader: ChunkReader, writer: EventWriter, last_words: bytes, created: int) -> None:
        super().__init__()
        self._reader = reader
        self._writer = writer
        self._last_words = last_words
        self._created = created

    def event(self, event: RawEvent) -> bytes:
        if not event.data:
            return b""
        if event.data == b"[DONE]":
            out = self._chunks(self._reader.read("", DONE), event.data)
        else:
            out = self._chunks(self._reader.read(event.name.decode("latin-1"), decode(event.data)), event.data)
        return out + self._end() if self._reader.done and not self.is_ended() else out

    def unreadable(self) -> bytes:
        return self.break_off(b"{}", _encode(self._writer.fail(_told({"message": UNREADABLE_STREAM}))))

    def close(self) -> bytes:
        out = self._chunks(self._reader.end(), b"{}")
        if self._reader.done and not self.is_ended():
            self.appended_done = self._reader.last_word
            return out + self._end()
        return out

    def _end(self) -> bytes:
        self.complete()
        return _encode(self._writer.end()) + self._last_words

    def _chunks(self, chunks: list[Json], data: bytes) -> bytes:
        out: list[bytes] = []
        for chunk in chunks:
            if (error := chunk.get("error")) is not None:
                said = error if isinstance(error, dict) else {"message": str(error)}
                return b"".join(out) + self.break_off(data, _encode(self._writer.fail(_told(said))))
            self.started = True
            if (usage := chunk.get("usage")) is not None:
                self.usage = read_usage(msgspec.json.encode(usage)) or self.usage
                self.usage_invalid = self.usage is None
            if chunk.get("choices"):
                self.events += 1
            told = chunk if chunk.get("created") else {**chunk, "created": self._created}
            out.append(_encode(self._writer.write(told)))
        return b"".join(out)


def _told(error: Json) -> Json:
    return {"message": None, "type": "server_error", "param": None, "code": None, **error}


def _encode(events: list[Event]) -> bytes:
    return b"".join([event.encode() for event in events])
