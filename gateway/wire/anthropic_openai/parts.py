"""What stands in a turn: text, images, documents, search results. Each block becomes parts of a chat message."""

import re
from collections.abc import Callable, Container

from gateway.core.errors import Inexpressible, InvalidValue
from gateway.wire.anthropic_openai.fields import FIELDS
from gateway.wire.anthropic_openai.values import Lookup
from gateway.wire.events import Json
from gateway.wire.expect import a_list, a_name, a_text, an_object
from gateway.wire.translation import How

Parts = list[Json]

_IMAGE_TYPE = re.compile(r"image/[a-z0-9.+-]{1,32}")
_WEB = re.compile(r"https?://\S+", re.IGNORECASE)
_PDF_TYPE = re.compile(r"application/pdf")
_FILE = "document.pdf"


def read_parts(content: object, at: str, lookup: Lookup, kinds: Container[object] | None = None) -> Parts:
    """Of a text or a list of blocks, if need be of `kinds` only."""
    if isinstance(content, str):
        return [_text(content)] if content else []
    read: Parts = []
    for n, given in enumerate(a_list(content, at)):
        block = an_object(given, f"{at}[{n}]")
        if kinds is not None and block.get("type") not in kinds:
            raise InvalidValue(param=f"{at}[{n}].type")
        read += read_block(block, f"{at}[{n}]", lookup)
    return read


def read_block(block: Json, at: str, lookup: Lookup) -> Parts:
    """Empty for a block that is dropped. A mark for the prompt cache stays on the last part."""
    kind = a_name(block.get("type"), f"{at}.type")
    name = f"messages.content.{kind}"
    if not lookup.keeps(name, at):
        return []
    reader = _READERS.get(kind)
    if reader is None:
        raise InvalidValue(param=f"{at}.type")
    lookup.members(name, block)
    parts = reader(block, at, lookup)
    if parts and (mark := block.get("cache_control")) is not None:
        parts[-1]["cache_control"] = an_object(mark, f"{at}.cache_control")
    return parts


def plainest(parts: Parts) -> str | Parts:
    """A text where it says the same."""
    if not parts:
        return ""
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        return str(parts[0]["text"])
    return parts


def _text(text: str) -> Json:
    return {"type": "text", "text": text}


def _read_text(block: Json, at: str, _lookup: Lookup) -> Parts:
    return [_text(a_text(block.get("text"), f"{at}.text"))]


def _read_image(block: Json, at: str, _lookup: Lookup) -> Parts:
    source, kind = _source(block, at)
    if kind not in ("base64", "url"):
        raise InvalidValue(param=f"{at}.source.type")
    return [{"type": "image_url", "image_url": {"url": _read_url(source, f"{at}.source", _IMAGE_TYPE)}}]


def _read_document(block: Json, at: str, lookup: Lookup) -> Parts:
    source, kind = _source(block, at)
    title = a_text(block.get("title") or "", f"{at}.title")
    context = a_text(block.get("context") or "", f"{at}.context")
    if kind in ("base64", "url"):
        file = {"filename": title or _FILE, "file_data": _read_url(source, f"{at}.source")}
        return [*([_text(context)] if context else []), {"type": "file", "file": file}]
    if kind == "text":
        body = [_text(a_text(source.get("data"), f"{at}.source.data"))]
    elif kind == "content":
        body = read_parts(source.get("content"), f"{at}.source.content", lookup, ("text", "image"))
    else:
        raise InvalidValue(param=f"{at}.source.type")
    return [_text(line) for line in (title, context) if line] + body


def _read_search_result(block: Json, at: str, lookup: Lookup) -> Parts:
    lines = [a_text(block.get(name), f"{at}.{name}") for name in ("title", "source")]
    found = read_parts(block.get("content"), f"{at}.content", lookup, ("text",))
    return [_text("\n".join([*lines, *(part["text"] for part in found)]))]


def _read_reference(block: Json, at: str, _lookup: Lookup) -> Parts:
    return [_text(a_name(block.get("tool_name"), f"{at}.tool_name"))]


def _read_compaction(block: Json, at: str, _lookup: Lookup) -> Parts:
    """Without content it is one that failed, and says nothing."""
    summary = a_text(block.get("content") or "", f"{at}.content")
    return [_text(summary)] if summary else []


def _read_url(source: Json, at: str, media: re.Pattern[str] = _PDF_TYPE) -> str:
    """The web's, or a data URL."""
    if source["type"] == "url":
        url = a_text(source.get("url"), f"{at}.url")
        if not _WEB.fullmatch(url):
            raise InvalidValue(param=f"{at}.url")
        return url
    given = a_text(source.get("media_type"), f"{at}.media_type")
    if not media.fullmatch(given):
        raise InvalidValue(param=f"{at}.media_type")
    return f"data:{given};base64,{a_name(source.get('data'), f'{at}.data')}"


def _source(block: Json, at: str) -> tuple[Json, str]:
    source = an_object(block.get("source"), f"{at}.source")
    kind = a_name(source.get("type"), f"{at}.source.type")
    field = FIELDS.get(f"messages.content.{block['type']}.source.{kind}")
    if field is not None and field.how is How.REFUSED:
        raise Inexpressible(param=f"{at}.source")
    return source, kind


_READERS: dict[str, Callable[[Json, str, Lookup], Parts]] = {
    "text": _read_text,
    "image": _read_image,
    "document": _read_document,
    "search_result": _read_search_result,
    "tool_reference": _read_reference,
    "compaction": _read_compaction,
}
