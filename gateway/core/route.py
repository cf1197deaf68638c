"""Where a call may go: upstreams, models, tiers, and the plan made from them."""

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import msgspec

from gateway.core.call import Capability, Kind

ALL_CAPABILITIES = frozenset(Capability)
# Of a model whose max_output_tokens are not known.
LONGEST_ANSWER = 4096


@dataclass(frozen=True, slots=True)
class Upstream:
    """A provider's base URL and credential. `base_path` has no trailing slash; `left_out` says why it is unusable."""

    name: str
    host: str
    port: int
    tls: bool
    base_path: str
    dialects: tuple[str, ...] = ("openai",)
    api_version: str | None = None
    api_key: str | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    connect_timeout: float = 2.0
    max_connections: int | None = None
    stream_usage: bool = True
    left_out: str | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens, which is micro-USD per token."""

    input: float = 0.0
    cached_input: float | None = None
    output: float = 0.0

    def micro_usd(self, prompt: int, completion: int, cached: int = 0) -> int:
        """Whole micro-USD, rounded up from a thousandth; of the prompt, `cached` tokens have a price of their own."""
        return math.ceil(self.exact(prompt, completion, cached) - 0.0005)

    def exact(self, prompt: int, completion: int, cached: int) -> float:
        """In micro-USD."""
        if not cached:
            return prompt * self.input + completion * self.output
        cached_price = self.input if self.cached_input is None else self.cached_input
        return (prompt - cached) * self.input + cached * cached_price + completion * self.output


@dataclass(frozen=True, slots=True)
class Model:
    """A model at one upstream. A name ending in `*` is a wildcard; times are seconds."""

    name: str
    upstream: Upstream
    remote: str
    kind: Kind = Kind.CHAT
    capabilities: frozenset[Capability] = ALL_CAPABILITIES
    context_window: int | None = None
    max_output_tokens: int | None = None
    price: Price | None = None
    first_byte_timeout: float = 30.0
    idle_timeout: float = 60.0
    timeout: float = 300.0
    max_retries: int = 2
    defaults: Mapping[str, object] = field(default_factory=dict)
    fallbacks: tuple[str, ...] = ()
    weight: float = 1.0

    @property
    def longest_answer(self) -> int:
        """In tokens, where the caller sets no limit: the default that is sent then, or the model's own."""
        for name in ("max_completion_tokens", "max_tokens"):
            if isinstance(sent := self.defaults.get(name), int):
                return sent
        return self.max_output_tokens or LONGEST_ANSWER


@dataclass(frozen=True, slots=True)
class Target:
    """What an attempt goes to. `name` is the concrete model name, `remote` what the upstream calls it."""

    name: str
    remote: str
    model: Model

    @property
    def upstream(self) -> Upstream:
        return self.model.upstream

    @property
    def key(self) -> tuple[str, str]:
        """Configured model and upstream: what health and metrics are kept by, whatever a wildcard let through."""
        return self.model.name, self.model.upstream.name

    def __str__(self) -> str:
        return f"{self.name}@{self.model.upstream.name}"


class Exclusion(enum.Enum):
    """Why a target is not in a plan."""

    KIND = "does not serve this endpoint"
    INCAPABLE = "lacks what the call needs"
    NOT_ALLOWED = "the key may not use it"
    LEFT_OUT = "its upstream is left out: an environment variable is not set"
    COOLDOWN = "in cooldown after a 429 or 503"
    BREAKER_OPEN = "its breaker is open after repeated failures"


class Plan(msgspec.Struct, frozen=True):
    """The decision: targets best first, and every target left out with its reason.

    `preferred` is the first choice, were it not for its health: another one's answer is a fallback.
    """

    tier: str | None
    complexity: str | None
    preferred: Target | None
    targets: tuple[Target, ...]
    excluded: tuple[tuple[Target, Exclusion], ...] = ()


@dataclass(frozen=True)
class Routes:
    """The routing half of a configuration.

    A tier is a tuple of groups, a group a tuple of model names: groups in order of preference, equals inside a group.
    An alias is a tier's or a model's name, already followed to its end.
    """

    upstreams: Mapping[str, Upstream]
    models: Mapping[str, Model]
    tiers: Mapping[str, tuple[tuple[str, ...], ...]]
    aliases: Mapping[str, str]
    complexity: Mapping[str, str]

    @cached_property
    def _plain(self) -> dict[str, Target]:
        return {m.name: Target(m.name, m.remote, m) for m in self.models.values() if not m.name.endswith("*")}

    @cached_property
    def _wildcards(self) -> list[Model]:
        return sorted((m for m in self.models.values() if m.name.endswith("*")), key=lambda m: -len(m.name))

    def target(self, name: str) -> Target | None:
        """The model of that name, or the wildcard with the longest prefix that covers it."""
        if found := self._plain.get(name):
            return found
        for model in self._wildcards:
            prefix = model.name[:-1]
            if name.startswith(prefix) and len(name) > len(prefix):
                return Target(name, model.remote.replace("*", name[len(prefix) :]), model)
        return None
