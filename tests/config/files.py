"""Small files to make faults in."""

from gateway.config.load import ConfigError, parse

KEY = "k" * 24
UPSTREAMS = '{u: {base_url: "http://127.0.0.1/v1"}}'
MODELS = "{m: {upstream: u}}"
KEYS = f"[{{name: k, key: {KEY}}}]"


def written(upstreams: str = UPSTREAMS, models: str = MODELS, keys: str = KEYS, more: str = "") -> str:
    """A file with `upstreams` on line 1, `models` on line 2, `keys` on line 3, and `more` from line 4 on."""
    return f"upstreams: {upstreams}\nmodels: {models}\nkeys: {keys}\n{more}"


def faults_of(text: str | bytes, environ: dict[str, str] | None = None) -> list[str]:
    """The faults of that file, named `f`, as they are printed."""
    content = text.encode() if isinstance(text, str) else text
    try:
        parse(content, "f", environ or {})
    except ConfigError as error:
        return [str(fault) for fault in error.faults]
    return []
