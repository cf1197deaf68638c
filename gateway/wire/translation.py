"""The seam between API schemas: chat completions stand in the middle.

A caller of another schema is read as a chat caller, and an upstream of another schema answers as a chat upstream; so
every caller gets at every upstream, whichever two schemas they speak. Both halves are pure: values in, values out.

What the middle carries beyond OpenAI's own fields, so that nothing is lost on the way to the next turn:
* `reasoning_content`, a text, in messages and deltas
* `reasoning_details` there, a list: `{"type": "reasoning.text", "text", "signature"}` and
  `{"type": "reasoning.encrypted", "data"}`, each with `"format"`, whose it is: only that schema gets it back
* `extra_content.google.thought_signature` of a tool call
* `cache_control` of content parts, messages and tools
* `prompt_tokens_details.cache_write_tokens` in the usage
"""

import enum
import re
from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

from gateway.core.errors import Inexpressible
from gateway.core.route import Target
from gateway.wire.events import Event, Json

MAX_LISTED = 16
_LISTABLE = re.compile(r"[a-z][a-z0-9_.]{0,79}")


class How(enum.StrEnum):
    """What becomes of a field on the other side."""

    KEPT = "kept"
    DROPPED = "dropped"
    REFUSED = "refused"


class Field(NamedTuple):
    """A row of the table in docs/dialects.md."""

    how: How
    note: str


Fields = Mapping[str, Field]


class Sent(NamedTuple):
    """A request in the other schema, and the caller's fields that are not in it and change nothing."""

    body: Json
    dropped: tuple[str, ...] = ()


class ChunkReader(Protocol):
    """One stream of an upstream, read as chat completion chunks. `done` once the upstream said that it is whole.

    `last_word`: whether its schema has one, or the end of the body has to do.
    """

    last_word: bool
    done: bool

    def read(self, name: str, data: Json) -> list[Json]:
        """What an event amounts to; an event that is an error is `{"error": {"message", "type", "param", "code"}}`."""

    def end(self) -> list[Json]:
        """The body is over. `done` afterwards also where the schema has no last word and the answer had its end."""


class UpstreamTranslation(Protocol):
    """A chat caller, an upstream of another schema."""

    def request(self, chat: Json, target: Target) -> Sent:
        """`chat` has the upstream's name of the model, and the admin's defaults. Raises InvalidValue, Inexpressible."""

    def answer(self, body: Json) -> Json:
        """A plain answer as a chat completion. Raises a Fault for what is no answer."""

    def reader(self) -> ChunkReader: ...


class EventWriter(Protocol):
    """One stream of chat completion chunks, written as the caller's events."""

    def write(self, chunk: Json) -> list[Event]: ...

    def end(self) -> list[Event]:
        """The stream was whole."""

    def fail(self, error: Json) -> list[Event]:
        """It ends with `{"message", "type", "param", "code"}`."""


class CallerTranslation(Protocol):
    """A caller of another schema, a chat upstream."""

    def request(self, body: Json) -> Sent:
        """Raises InvalidValue, MissingParameter, Inexpressible."""

    def answer(self, chat: Json, asked: Json) -> Json:
        """A chat completion as the answer to the request `asked`."""

    def writer(self, asked: Json) -> EventWriter: ...


def sort_fields(body: Json, fields: Fields, names: Collection[str] | None = None) -> tuple[str, ...]:
    """Which of the body's members (or of `names`) are dropped, by the table, and those that it does not know.

    What is null was not asked for. Raises Inexpressible for the first that is refused.
    """
    dropped = []
    for name in body if names is None else names:
        if names is None and body[name] is None:
            continue
        field = fields.get(name)
        if field is not None and field.how is How.REFUSED:
            raise Inexpressible(param=name)
        if field is None or field.how is How.DROPPED:
            dropped.append(name)
    return tuple(name for name in dropped if _LISTABLE.fullmatch(name))[:MAX_LISTED]
