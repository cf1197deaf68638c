"""The parts of a message's content as content blocks."""

import base64
from collections.abc import Callable, Collection

from gateway.core.errors import Inexpressible
from gateway.wire.events import Json
from gateway.wire.expect import a_name, a_text, an_object, invalid

Dropped = dict[str, None]
"""Names of FIELDS, in order, once each."""

TEXTS = frozenset({"text"})
ANSWERS = frozenset({"text", "refusal"})
ALL = frozenset({"text", "image_url", "file", "input_audio"})

_IMAGES = {
    "image/jpeg": "image/jpeg",
    "image/jpg": "image/jpeg",
    "image/png": "image/png",
    "image/gif": "image/gif",
    "image/webp": "image/webp",
}
_PDF = "application/pdf"
_TTLS = ("5m", "1h")


def read_content(content: object, at: str, kinds: Collection[str], dropped: Dropped) -> list[Json]:
    """Blocks for a text or a list of parts. Raises InvalidValue, Inexpressible."""
    if isinstance(content, str):
        return text_blocks(content)
    if not isinstance(content, list):
        invalid(at, "a string or a list")
    blocks = []
    for index, given in enumerate(content):
        place = f"{at}[{index}]"
        part = an_object(given, place)
        made = _read_part(part, place, kinds, dropped)
        if made and (mark := cache_mark(part, place)):
            made[-1]["cache_control"] = mark
        blocks += made
    return blocks


def text_blocks(text: str) -> list[Json]:
    """None of white space, which the other side refuses."""
    return [{"type": "text", "text": text}] if text and not text.isspace() else []


def cache_mark(holder: Json, at: str) -> Json | None:
    """`cache_control` as the other side has it, or OpenAI's own mark. Raises InvalidValue."""
    given = holder.get("cache_control")
    if given is None:
        return None if holder.get("prompt_cache_breakpoint") is None else {"type": "ephemeral"}
    mark, at = an_object(given, f"{at}.cache_control"), f"{at}.cache_control"
    if mark.get("type") != "ephemeral":
        invalid(f"{at}.type", "`ephemeral`")
    if (ttl := mark.get("ttl")) is None:
        return {"type": "ephemeral"}
    return {"type": "ephemeral", "ttl": ttl} if ttl in _TTLS else invalid(f"{at}.ttl", "`5m` or `1h`")


def _read_part(part: Json, at: str, kinds: Collection[str], dropped: Dropped) -> list[Json]:
    kind = a_text(part.get("type"), f"{at}.type")
    if kind not in kinds or kind not in _READERS:
        raise Inexpressible(param=f"{at}.input_audio" if kind == "input_audio" else f"{at}.type")
    image = part.get("image_url")
    if isinstance(image, dict) and image.get("detail") not in (None, "auto"):
        dropped["messages.content.image_url.detail"] = None
    return _READERS[kind](part, at)


def _text(part: Json, at: str) -> list[Json]:
    return text_blocks(a_text(part.get("text"), f"{at}.text"))


def _refusal(part: Json, at: str) -> list[Json]:
    return text_blocks(a_text(part.get("refusal"), f"{at}.refusal"))


def _image(part: Json, at: str) -> list[Json]:
    at = f"{at}.image_url"
    image = an_object(part.get("image_url"), at)
    url = a_name(image.get("url"), f"{at}.url")
    if _is_http(url):
        return [{"type": "image", "source": {"type": "url", "url": url}}]
    media, data = _read_data_url(url, f"{at}.url")
    if media not in _IMAGES:
        raise Inexpressible(param=f"{at}.url")
    return [{"type": "image", "source": {"type": "base64", "media_type": _IMAGES[media], "data": data}}]


def _file(part: Json, at: str) -> list[Json]:
    at = f"{at}.file"
    file = an_object(part.get("file"), at)
    if file.get("file_data") is None and file.get("file_id") is not None:
        raise Inexpressible(param=f"{at}.file_id")
    block: Json = {"type": "document", "source": _source(a_name(file.get("file_data"), f"{at}.file_data"), at)}
    if file.get("filename"):
        block["title"] = a_text(file["filename"], f"{at}.filename")
    return [block]


def _source(url: str, at: str) -> Json:
    at = f"{at}.file_data"
    if _is_http(url):
        return {"type": "url", "url": url}
    media, data = _read_data_url(url, at)
    if media == _PDF:
        return {"type": "base64", "media_type": _PDF, "data": data}
    if not media.startswith("text/") and media != "application/json":
        raise Inexpressible(param=at)
    try:
        text = base64.b64decode(data, validate=True).decode()
    except ValueError:
        invalid(at, "UTF-8 in base64")
    return {"type": "text", "media_type": "text/plain", "data": text}


def _is_http(url: str) -> bool:
    return url[:8].lower().startswith(("http://", "https://"))


def _read_data_url(url: str, at: str) -> tuple[str, str]:
    """Media type, and the data in base64."""
    head, _, data = url.partition(",")
    words = head[5:].lower().split(";")
    if head[:5].lower() != "data:" or words[-1].strip() != "base64" or not data:
        invalid(at, "an http URL or a data URL in base64")
    return words[0].strip(), data


_READERS: dict[str, Callable[[Json, str], list[Json]]] = {
    "text": _text,
    "refusal": _refusal,
    "image_url": _image,
    "file": _file,
}
