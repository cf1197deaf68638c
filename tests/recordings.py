"""What providers really sent, recorded. The recordings are not part of this repository: there may be none."""

import base64
import functools
import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parents[2] / "shared/recordings/recordings.jsonl.gz"


@dataclass(frozen=True)
class Recording:
    """`request` and `body` are as they were on the wire, after transfer decoding."""

    id: str
    provider: str
    api: str
    status: int
    stream: bool
    request: bytes
    body: bytes

    @property
    def asked(self) -> Any:
        return json.loads(self.request)


@functools.cache
def _all() -> tuple[Recording, ...]:
    if not _FILE.exists():
        return ()
    with gzip.open(_FILE, "rt") as lines:
        return tuple(_read(json.loads(line)) for line in lines)


def _read(line: dict[str, Any]) -> Recording:
    request, body = base64.b64decode(line["request"] or ""), base64.b64decode(line["body"] or "")
    return Recording(line["id"], line["provider"], line["api"], line["status"], line["stream"], request, body)


def recorded(api: str, *, stream: bool, ok: bool = True) -> list[Recording]:
    """`api` is chat, responses, messages, gemini, completions or embeddings."""
    return [one for one in _all() if (one.api, one.stream, one.status < 400) == (api, stream, ok)]
