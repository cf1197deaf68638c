"""`file:/absolute/path` in place of a secret: the file's content, without its last line end."""

import stat
from collections.abc import Iterator
from pathlib import Path as FilePath

from gateway.config.faults import Path
from gateway.config.findings import Findings

PREFIX = "file:"
MAX_BYTES = 64 * 1024


def read_secret_files(data: dict[str, object], findings: Findings) -> None:
    """Replace each `file:` secret in place."""
    for holder, name, path in _places(data):
        text = holder[name]
        if isinstance(text, str) and text.startswith(PREFIX):
            try:
                holder[name] = read_secret(text.removeprefix(PREFIX))
            except ValueError as error:
                findings.fault(path, str(error))


def read_secret(text: str) -> str:
    """The content of the file `text`. Raises ValueError with a sentence that does not quote it."""
    path = FilePath(text)
    if not path.is_absolute() or "\0" in text:
        raise ValueError("must be file: and an absolute path")
    try:
        # Opening a pipe would wait for a writer.
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError("names something that is not a regular file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(f"names a file that cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise ValueError(f"names a file larger than {MAX_BYTES} bytes")
    try:
        secret = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ValueError("names a file that is not UTF-8") from None
    if not secret:
        raise ValueError("names an empty file")
    return secret


def _places(data: dict[str, object]) -> Iterator[tuple[dict[str, object], str, Path]]:
    """Every field that may hold a secret: its mapping, its name there, its path."""
    match data.get("store"):
        case dict() as store if "url" in store:
            yield store, "url", ("store", "url")
    match data.get("upstreams"):
        case dict() as upstreams:
            for name, entry in upstreams.items():
                if isinstance(entry, dict):
                    yield from _places_of_upstream(entry, ("upstreams", name))
    match data.get("keys"):
        case list() as keys:
            for index, entry in enumerate(keys):
                if isinstance(entry, dict) and "key" in entry:
                    yield entry, "key", ("keys", index, "key")


def _places_of_upstream(entry: dict[str, object], path: Path) -> Iterator[tuple[dict[str, object], str, Path]]:
    if "api_key" in entry:
        yield entry, "api_key", (*path, "api_key")
    if isinstance(headers := entry.get("headers"), dict):
        for header in headers:
            yield headers, header, (*path, "headers", header)
