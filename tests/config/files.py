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


def many_models(count: int, more: str = "") -> str:
    """`m0` to `m<count - 1>`, the value of `models`."""
    return "\n" + "".join(f"  m{i}: {{upstream: u{more}}}\n" for i in range(count))


def key_of(number: int) -> str:
    return f"sk-gw-{number:040}"


def many_keys(count: int, more: str = "") -> str:
    """The value of `keys`; a `#` in `more` is the key's number."""
    entries = (f"  - {{name: k{i}, key: {key_of(i)}{more.replace('#', str(i))}}}\n" for i in range(count))
    return "\n" + "".join(entries)
