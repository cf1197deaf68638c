"""The shape of the file: every field with its type, default and meaning."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator

from gateway.config import values
from gateway.config.addresses import MEMORY, Address, network
from gateway.config.spec import Spec
from gateway.core.settings import Network

PRIVATE_NETWORKS = ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")


class ServerSpec(Spec):
    """How the gateway itself listens and how long it waits."""

    listen: values.Listen = Field(
        default=Address("127.0.0.1", 8080),
        description="Address to listen on: host:port or [ipv6]:port; port 0 takes a free one.",
    )
    max_body_bytes: values.Size = Field(default=20 << 20, description="Largest request body; more is a 413.")
    body_timeout: values.Duration = Field(
        default=30.0, description="Time for a whole request body to arrive; more is a 408."
    )
    header_timeout: values.Duration = Field(default=10.0, description="Time for the head of a request to arrive.")
    keepalive_timeout: values.Duration = Field(
        default=75.0, description="How long an idle client connection is kept; longer than the proxy's in front."
    )
    keep_alive_interval: values.DurationOrOff = Field(
        default=15.0, description="Interval of the ': ping' comments on a silent stream; 0 = off."
    )
    write_timeout: values.Duration = Field(default=60.0, description="A client that takes nothing for so long is cut.")
    total_timeout: values.Duration = Field(
        default=3600.0, description="Longest time a whole call may take, its stream included."
    )
    workers: values.Workers = Field(
        default=1, description="Worker processes; auto = one per core. More than one needs a store that they share."
    )
    drain_timeout: values.DurationOrOff = Field(
        default=300.0, description="Time that streams under way get to end when the gateway stops."
    )
    metrics_allow: list[values.Network] = Field(
        default_factory=lambda: [network(text) for text in PRIVATE_NETWORKS],
        description="Networks whose peers may read /metrics and /health/ai; others get a 404. "
        "Default: loopback and private networks.",
    )
    trusted_proxies: list[values.Network] = Field(
        default_factory=list[Network],
        description="Networks of the proxies whose X-Forwarded-For is believed, for the log. Default: none.",
    )
    cors_origins: list[values.Origin] = Field(
        default_factory=list[str],
        description="Origins whose pages may call the gateway: scheme://host[:port], or *. Default: CORS is off.",
    )


class StoreSpec(Spec):
    """Where limits are kept, and what becomes of calls while that place is away."""

    url: values.StoreUrl = Field(
        default=MEMORY,
        repr=False,
        description="memory:// for a single worker; redis:// or rediss:// and [user:password@]host[:port][/db]; "
        "${VAR}, or file:/absolute/path.",
    )
    on_error: Literal["local", "deny"] = Field(
        default="local",
        description="While the store is away each worker enforces its share of the limits, or all calls get a 503.",
    )
    replicas: Annotated[int, Field(ge=1, le=10_000), values.Number] = Field(
        default=1, description="Gateways that share the store; a worker's share is of the limit / (replicas x workers)."
    )
    timeout: values.StoreTimeout = Field(
        default=0.1, description="Longest wait for the store on a call's way; at most 1s."
    )
    lease_ttl: values.LeaseTtl = Field(
        default=30.0, description="How long the streams of a worker that was killed still count; 5s to 10m."
    )


class UpstreamSpec(Spec):
    """A provider: where it is and how to authenticate there. One with an unset variable is left out."""

    base_url: values.Url = Field(
        description="http or https URL up to and including the version, such as https://api.openai.com/v1."
    )
    dialect: values.Dialects = Field(
        default_factory=lambda: list[values.Dialect](["openai"]),
        description="The API it speaks, or several, the one for translations first.",
    )
    api_version: values.ApiVersion | None = Field(
        default=None, description="Of azure, which needs one (such as 2024-10-21), and anthropic (default: 2023-06-01)."
    )
    api_key: values.Credential | None = Field(
        default=None,
        repr=False,
        description="Sent as its dialect has it ('Authorization: Bearer …' to OpenAI). A text, ${VAR}, or file:/path.",
    )
    headers: dict[values.HeaderName, values.HeaderValue] = Field(
        default_factory=dict[str, str],
        repr=False,
        description="Sent with every request; a value may be file:/absolute/path. Default: none.",
    )
    connect_timeout: values.Duration = Field(default=2.0, description="Time to connect, TLS included.")
    max_connections: Annotated[int, Field(ge=1, le=100_000), values.Number] | None = Field(
        default=None, description="Most connections at a time, per worker. Default: no limit."
    )
    stream_usage: bool = Field(
        default=True,
        description="Ask for usage in streams (stream_options.include_usage); false for servers that refuse it.",
    )

    _number = field_validator("stream_usage", mode="before")(values.number)


class ModelDefaultsSpec(Spec):
    """Timeouts and retries of every model that does not set its own."""

    first_byte_timeout: values.Duration = Field(
        default=30.0, description="Streams: time from the request sent to the first good event."
    )
    idle_timeout: values.Duration = Field(default=60.0, description="Streams: longest silence between two reads.")
    timeout: values.Duration = Field(
        default=300.0, description="Time for all attempts, to the last byte of a plain answer."
    )
    max_retries: Annotated[int, Field(ge=0, le=10), values.Number] = Field(
        default=2, description="How often a target is tried again when no other target is left."
    )


Dollars = Annotated[float, Field(ge=0, le=1_000_000), values.Number]
Tokens = Annotated[int, Field(ge=1, le=1_000_000_000), values.Number]


class PriceSpec(Spec):
    """USD per million tokens."""

    input: Dollars = Field(default=0.0, description="Prompt tokens.")
    cached_input: Dollars | None = Field(
        default=None, description="Prompt tokens read from a cache. Default: as input."
    )
    output: Dollars = Field(default=0.0, description="Completion tokens.")


class ModelSpec(Spec):
    """A model at one upstream. A name that ends in * is a wildcard: the longest prefix that fits wins."""

    upstream: str = Field(description="Name of an upstream.")
    name: values.Remote | None = Field(
        default=None,
        description="Its name at the upstream; a * stands for what the wildcard let through. Default: the same.",
    )
    kind: Literal["chat", "embeddings", "transcriptions", "speech", "images", "moderations"] = Field(
        default="chat", description="What it does, and so the endpoints that it serves."
    )
    capabilities: list[Literal["tools", "vision", "json_schema", "reasoning", "audio"]] | None = Field(
        default=None, description="What a call may need of it; one that needs more goes elsewhere. Default: all."
    )
    context_window: Tokens | None = Field(
        default=None,
        description="Tokens of prompt and answer together. Default: not known, so never a reason to leave it out.",
    )
    max_output_tokens: Tokens | None = Field(
        default=None,
        description="Most tokens in an answer; what is reserved when the caller sets no limit. Default: not known.",
    )
    price: PriceSpec | None = Field(
        default=None, description="USD per million tokens. Default: not known, cost is not recorded."
    )
    first_byte_timeout: values.Duration | None = Field(default=None, description="Default: that of model_defaults.")
    idle_timeout: values.Duration | None = Field(default=None, description="Default: that of model_defaults.")
    timeout: values.Duration | None = Field(default=None, description="Default: that of model_defaults.")
    max_retries: Annotated[int, Field(ge=0, le=10), values.Number] | None = Field(
        default=None, description="Default: that of model_defaults."
    )
    defaults: dict[values.BodyField, values.BodyValue] = Field(
        default_factory=dict[str, Any],
        description="Body fields sent when the caller did not set them; never model, stream, messages, input.",
    )
    fallbacks: list[str] = Field(
        default_factory=list[str],
        description="Models to try, in order, when it is asked by name and fails. Default: none.",
    )
    weight: Annotated[float, Field(gt=0, le=1_000_000), values.Number] = Field(
        default=1.0, description="Its share among the equals of a tier."
    )


class ComplexitySpec(Spec):
    """The tier that 'auto' picks."""

    simple: str = Field(default="fast", description="Tier for simple requests.")
    medium: str = Field(default="standard", description="Tier for requests of medium or no given complexity.")
    complex: str = Field(default="premium", description="Tier for complex requests.")


class BudgetSpec(Spec):
    """Money for a period of the calendar, in UTC."""

    usd: values.Usd = Field(description="USD; at most 6 decimals.")
    period: Literal["day", "week", "month"] = Field(description="A week begins on Monday.")


Units = Annotated[int, Field(ge=1, le=100_000_000), values.Number]


class LimitsSpec(Spec):
    """What each key under these limits may use. What is absent is not limited."""

    requests_per_minute: Units | None = Field(default=None, description="Default: no limit.")
    tokens_per_minute: Units | None = Field(
        default=None, description="Tokens of prompts and answers together. Default: no limit."
    )
    concurrent_streams: Annotated[int, Field(ge=1, le=1_000_000), values.Number] | None = Field(
        default=None, description="Calls running at the same time, plain ones too. Default: no limit."
    )
    request_burst: Units | None = Field(
        default=None, description="Requests that may come at once. Default: requests_per_minute."
    )
    token_burst: Units | None = Field(
        default=None, description="Tokens that may be taken at once. Default: tokens_per_minute."
    )
    budget: BudgetSpec | None = Field(
        default=None, description="Money; every model that the key may use needs a price then. Default: no limit."
    )


class KeySpec(Spec):
    """A caller of the gateway: exactly one of key and sha256. One with an unset variable is left out."""

    name: values.Name = Field(description="Who it belongs to, in logs and metrics.")
    key: values.Credential | None = Field(
        default=None, repr=False, description="The key: at least 20 characters, ${VAR}, or file:/absolute/path."
    )
    sha256: values.Hex64 | None = Field(
        default=None, description="SHA-256 of the key, in hex: keeps the key out of the file."
    )
    models: list[values.Glob] = Field(
        default_factory=lambda: ["*"],
        min_length=1,
        description="Globs over model names, * being the only wildcard, that it may use. Default: all.",
    )
    limits: values.Name | None = Field(default=None, description="Name of its limits. Default: none.")
    expires: values.Expires | None = Field(
        default=None,
        description="Date or time from which on it is refused; UTC unless it says otherwise. Default: never.",
    )
    disabled: bool = Field(default=False, description="true: refused with a 403.")

    _number = field_validator("disabled", mode="before")(values.number)


def _group(value: object) -> object:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise ValueError("must be a model, or a list of models that are equals")
    return value


Group = Annotated[
    list[str],
    Field(min_length=1),
    BeforeValidator(_group),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]


Tier = Annotated[list[Group], Field(min_length=1)]


class FileSpec(Spec):
    """The configuration of the gateway."""

    server: ServerSpec = Field(default_factory=ServerSpec, description="How the gateway itself listens.")
    store: StoreSpec = Field(default_factory=StoreSpec, description="Where limits are kept.")
    upstreams: dict[values.Name, UpstreamSpec] = Field(min_length=1, description="Providers by name.")
    model_defaults: ModelDefaultsSpec = Field(
        default_factory=ModelDefaultsSpec, description="What a model gets that does not say otherwise."
    )
    models: dict[values.ModelName, ModelSpec] = Field(
        min_length=1, description="Models by the name that callers use; one that ends in * is a wildcard."
    )
    tiers: dict[values.RoutableName, Tier] = Field(
        default_factory=dict[str, list[list[str]]],
        description="Ordered models by tier: the first is preferred, the rest its fallbacks; "
        "a list in the list holds equals, tried in random order by weight.",
    )
    complexity: ComplexitySpec = Field(
        default_factory=ComplexitySpec, description="The tier that 'auto' picks for each complexity."
    )
    aliases: dict[values.RoutableName, str] = Field(
        default_factory=dict[str, str], description="Other names of tiers, models and aliases."
    )
    limits: dict[values.Name, LimitsSpec] = Field(
        default_factory=dict[str, LimitsSpec], description="What keys may use, by the name that they are under."
    )
    keys: list[KeySpec] = Field(min_length=1, description="Who may call.")
