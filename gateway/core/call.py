"""One client request under way: the call, who makes it, and what it asks for."""

import enum
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.core.limits import Limits


class Kind(enum.StrEnum):
    """What a model does."""

    CHAT = "chat"
    EMBEDDINGS = "embeddings"
    TRANSCRIPTIONS = "transcriptions"
    SPEECH = "speech"
    IMAGES = "images"
    MODERATIONS = "moderations"


class Endpoint(enum.StrEnum):
    """The proxied endpoints; the value is the route's name in metrics and logs."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    RESPONSES = "responses"
    STORED = "stored_responses"
    MESSAGES = "messages"
    COUNT_TOKENS = "count_tokens"
    EMBEDDINGS = "embeddings"
    TRANSCRIPTIONS = "transcriptions"
    SPEECH = "speech"
    IMAGES = "images"
    MODERATIONS = "moderations"

    @property
    def kind(self) -> Kind:
        """Of the models that serve it."""
        return _KINDS.get(self, Kind.CHAT)


_KINDS = {Endpoint(kind.value): kind for kind in Kind}


class Capability(enum.StrEnum):
    """What a request may need of a model."""

    TOOLS = "tools"
    VISION = "vision"
    JSON_SCHEMA = "json_schema"
    REASONING = "reasoning"
    AUDIO = "audio"


NO_NEEDS: frozenset[Capability] = frozenset()


class Call(msgspec.Struct, frozen=True):
    """The head of a request, before anything of its body is read.

    `id` is 128 random bits made by the gateway and keys everything that is held or paid; `request_id` may be the
    client's own and is only ever shown. `content_type` is said for forms alone, `stored` is what is
    asked of a response that an upstream has kept: its id, or id and verb.
    """

    id: str
    request_id: str
    endpoint: Endpoint
    started: float
    peer: str
    keys: tuple[bytes, ...]
    complexity: str | None
    provider: str | None
    retry_count: int
    forward: tuple[tuple[bytes, bytes], ...]
    content_type: str = ""
    stored: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a key belongs to. `models` are globs over the names of targets; `expires` is wall-clock seconds."""

    id: str
    name: str
    models: tuple[str, ...]
    limits: Limits | None = None
    expires: float | None = None
    disabled: bool = False


class Form(msgspec.Struct):
    """A multipart body without the value of its model, which goes between these two."""

    before: bytes
    after: bytes
    content_type: str

    def clear(self) -> None:
        self.before = self.after = b""


# The model of a call that names none: whatever upstream may have what it asks for.
ANY = ""


class Ask(msgspec.Struct, frozen=True):
    """What the body asks for. `fields` are the body's own members, each still in the bytes it came in.

    They are as large as the body, and emptied once the first byte is out: a stream of an hour needs them no more.
    A `form` has none, nor has a call for something `stored`.
    `prompt_tokens` is an estimate; `max_tokens` is what the caller set, None otherwise. `needs` are those of a call
    without a body.
    """

    model: str
    fields: dict[str, Any]
    stream: bool = False
    include_usage: bool = False
    complexity: str | None = None
    provider: str | None = None
    prompt_tokens: int = 0
    max_tokens: int | None = None
    n: int = 1
    needs: frozenset[Capability] = NO_NEEDS
    form: Form | None = None
    stored: str = ""
