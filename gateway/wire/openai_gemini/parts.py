"""Content of a message as Gemini's parts."""

import re
from urllib.parse import urlsplit

from gateway.core.errors import Inexpressible, InvalidValue
from gateway.wire.events import Json
from gateway.wire.expect import a_list, a_name, a_text, an_object
from gateway.wire.openai_gemini.fields import Dropped

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w.+-]+=[^;,]*)*;base64,", re.IGNORECASE)
_SCHEMES = ("http://", "https://", "gs://")
# By the end of an URL's path; where it says nothing the provider has to look.
_MIME_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "heic": "image/heic",
    "heif": "image/heif",
    "gif": "image/gif",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "csv": "text/csv",
    "html": "text/html",
    "md": "text/markdown",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "mov": "video/quicktime",
    "mp3": "audio/mp3",
    "wav": "audio/wav",
}
_AUDIO = {"wav", "mp3", "aiff", "aac", "ogg", "flac", "m4a", "webm", "opus"}

TEXT = frozenset({"text"})
SAID = frozenset({"text", "refusal"})
RESULT = frozenset({"text", "image_url", "file"})
ASKED = frozenset({"text", "image_url", "file", "input_audio"})


def read_parts(content: object, kinds: frozenset[str], param: str, dropped: Dropped) -> list[Json]:
    """Parts of a text, or of a list of content parts of these `kinds`. An empty text is no part."""
    if isinstance(content, str):
        return [{"text": content}] if content else []
    parts = []
    for at, item in enumerate(a_list(content, param)):
        path = f"{param}[{at}]"
        part = an_object(item, path)
        dropped.look(part, "messages.content", path)
        parts.append(_read_part(part, kinds, path, dropped))
    return [part for part in parts if part != {"text": ""}]


def _read_part(part: Json, kinds: frozenset[str], path: str, dropped: Dropped) -> Json:
    kind = part.get("type")
    if not isinstance(kind, str):
        raise InvalidValue(param=f"{path}.type")
    if kind not in kinds:
        # What no message may hold is Gemini's lack, the rest is a part in the wrong place.
        raise (InvalidValue if kind in ASKED | SAID else Inexpressible)(param=f"{path}.type")
    if kind in SAID:
        return {"text": a_text(part.get(kind), f"{path}.{kind}")}
    path = f"{path}.{kind}"
    given = an_object(part.get(kind), path)
    if kind == "input_audio":
        return _read_audio(given, path)
    dropped.look(given, f"messages.content.{kind}", path)
    name = "url" if kind == "image_url" else "file_data"
    return _read_media(a_name(given.get(name), f"{path}.{name}"), f"{path}.{name}")


def _read_audio(audio: Json, path: str) -> Json:
    kind = a_text(audio.get("format"), f"{path}.format")
    if kind not in _AUDIO:
        raise InvalidValue(param=f"{path}.format")
    return {"inlineData": {"mimeType": f"audio/{kind}", "data": a_name(audio.get("data"), f"{path}.data")}}


def _read_media(url: str, path: str) -> Json:
    if url.lower().startswith(_SCHEMES):
        return {"fileData": {"fileUri": url} | _mime_type(url, path)}
    found = _DATA_URL.match(url)
    if found is None or found.end() == len(url):
        raise InvalidValue(param=path)
    return {"inlineData": {"mimeType": found[1].lower(), "data": url[found.end() :]}}


def _mime_type(url: str, path: str) -> Json:
    try:
        end = urlsplit(url).path.rpartition(".")[2].lower()
    except ValueError:
        raise InvalidValue(param=path) from None
    return {"mimeType": _MIME_TYPES[end]} if end in _MIME_TYPES else {}
