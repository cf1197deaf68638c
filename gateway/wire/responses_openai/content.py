"""Content of input items as content parts of chat messages."""

from gateway.core.errors import Inexpressible, InvalidValue, MissingParameter
from gateway.wire.events import Json
from gateway.wire.responses_openai import member

_TEXTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text")


class Content:
    """Reads one request's content; `dropped` are the fields that got lost on the way."""

    def __init__(self) -> None:
        self.dropped: list[str] = []

    def parts(self, item: Json, name: str, path: str) -> list[Json]:
        """A text or a list; of an assistant's, a refusal is a part too."""
        given, at = item.get(name), member.place(path, name)
        if given is None:
            raise MissingParameter(param=at)
        if isinstance(given, str):
            return [{"type": "text", "text": given}]
        parts = []
        for index, one in enumerate(member.list_at(given, at)):
            part_path = f"{at}[{index}]"
            parts.append(self._part(member.object_at(one, part_path), part_path))
        return parts

    def _part(self, given: Json, path: str) -> Json:
        kind = member.text(given, "type", path)
        if kind in _TEXTS:
            part: Json = {"type": "text", "text": member.text(given, "text", path)}
            if given.get("annotations"):
                self.dropped.append("input.content.output_text.annotations")
        elif kind == "refusal":
            part = {"type": "refusal", "refusal": member.text(given, "refusal", path)}
        elif kind == "input_image":
            part = _image(given, path)
        elif kind == "input_file":
            part = self._file(given, path)
        elif kind == "input_audio":
            part = _audio(given, path)
        else:
            raise Inexpressible(param=path)
        self._mark(given, part, path)
        return part

    def _file(self, given: Json, path: str) -> Json:
        for name in ("file_id", "file_url"):
            if given.get(name) is not None:
                raise Inexpressible(param=f"{path}.{name}")
        if given.get("detail") is not None:
            self.dropped.append("input.content.input_file.detail")
        file = {"file_data": member.text(given, "file_data", path)}
        if (filename := member.maybe_text(given, "filename", path)) is not None:
            file["filename"] = filename
        return {"type": "file", "file": file}

    def _mark(self, given: Json, part: Json, path: str) -> None:
        mark = member.maybe_object(given, "prompt_cache_breakpoint", path)
        if mark is None:
            return
        part["cache_control"] = {"type": "ephemeral"}
        if mark.get("ttl") is not None:
            self.dropped.append("input.content.prompt_cache_breakpoint.ttl")


def _image(given: Json, path: str) -> Json:
    if given.get("file_id") is not None:
        raise Inexpressible(param=f"{path}.file_id")
    image = {"url": member.text(given, "image_url", path)}
    if (detail := member.maybe_text(given, "detail", path)) is not None:
        image["detail"] = detail
    return {"type": "image_url", "image_url": image}


def _audio(given: Json, path: str) -> Json:
    audio = member.maybe_object(given, "input_audio", path)
    if audio is None:
        raise MissingParameter(param=f"{path}.input_audio")
    at = f"{path}.input_audio"
    return {
        "type": "input_audio",
        "input_audio": {"data": member.text(audio, "data", at), "format": member.text(audio, "format", at)},
    }


def plain(parts: list[Json]) -> str | list[Json]:
    """One unmarked text is a string, which every upstream takes."""
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        text: str = parts[0]["text"]
        return text
    return parts


def check(parts: list[Json], allowed: tuple[str, ...], param: str) -> None:
    if any(part["type"] not in allowed for part in parts):
        raise InvalidValue(param=param)
