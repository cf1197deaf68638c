"""Messages as input items. The item types are the reference's: platform.openai.com/docs/api-reference/responses."""

from collections.abc import Iterator

from gateway.core.errors import Inexpressible, InvalidValue, MissingParameter
from gateway.wire.events import Json
from gateway.wire.openai_responses.members import element, optional, required

# Whose `reasoning_details` go back as reasoning items.
FORMAT = "openai-responses-v1"


class InputItems:
    """`items` are the input; `noted` are the members found in messages and parts, named as in the table.

    `foreign` says that there was reasoning of another provider, which is left out.
    """

    def __init__(self, messages: list[object]) -> None:
        self.items: list[Json] = []
        self.noted: dict[str, None] = {}
        self.foreign = False
        self._custom: set[str] = set()
        for i, message in enumerate(messages):
            self._add(element(message, f"messages[{i}]"), f"messages[{i}]")

    def _add(self, message: Json, at: str) -> None:
        self._note(message, "messages", at)
        match message.get("role"):
            case "system" | "developer" | "user" as role:
                self.items.append({"type": "message", "role": role, "content": self._content(message, at)})
            case "assistant":
                self._add_assistant(message, at)
            case "tool":
                self._add_output(message, at)
            case None:
                raise MissingParameter(param=f"{at}.role")
            case "function":
                raise Inexpressible(param=f"{at}.role")
            case _:
                raise InvalidValue(param=f"{at}.role")

    def _note(self, of: Json, name: str, at: str) -> None:
        for member, value in of.items():
            if value is not None and member not in ("type", "reasoning_content"):
                if (name, member) in (("messages", "audio"), ("messages", "function_call")):
                    raise Inexpressible(param=f"{at}.{member}")
                self.noted[f"{name}.{member}"] = None

    def _content(self, message: Json, at: str) -> str | list[Json]:
        content = message.get("content")
        if isinstance(content, str):
            return content
        parts = required(message, "content", list, at)
        return [self._part(part, f"{at}.content[{i}]") for i, part in enumerate(parts)]

    def _part(self, part: object, at: str) -> Json:
        given = element(part, at)
        match given.get("type"):
            case "text":
                written = {"type": "input_text", "text": required(given, "text", str, at)}
            case "image_url":
                written = _write_image(given, at)
            case "file":
                written = _write_file(required(given, "file", dict, at), f"{at}.file")
            case "input_audio":
                raise Inexpressible(param=f"{at}.input_audio")
            case _:
                raise InvalidValue(param=f"{at}.type")
        self._note(given, "messages.content", at)
        if (mark := given.get("prompt_cache_breakpoint")) is not None:
            written["prompt_cache_breakpoint"] = mark
        return written

    def _add_assistant(self, message: Json, at: str) -> None:
        """In the order in which they came from there: reasoning, message, calls."""
        before = len(self.items)
        for i, detail in enumerate(optional(message, "reasoning_details", list, at) or ()):
            self._add_reasoning(element(detail, f"{at}.reasoning_details[{i}]"), f"{at}.reasoning_details[{i}]")
        if optional(message, "reasoning_content", str, at) and len(self.items) == before:
            self.noted["messages.reasoning_content"] = None
        if said := list(self._said(message, at)):
            item = {"type": "message", "role": "assistant", "id": f"msg_{len(self.items)}", "status": "completed"}
            self.items.append({**item, "content": said})
        for i, call in enumerate(optional(message, "tool_calls", list, at) or ()):
            self._add_call(element(call, f"{at}.tool_calls[{i}]"), f"{at}.tool_calls[{i}]")

    def _said(self, message: Json, at: str) -> Iterator[Json]:
        content = message.get("content")
        if isinstance(content, str):
            if content:
                yield _write_text(content)
        else:
            for i, part in enumerate(optional(message, "content", list, at) or ()):
                yield self._assistant_part(element(part, f"{at}.content[{i}]"), f"{at}.content[{i}]")
        if refusal := optional(message, "refusal", str, at):
            yield {"type": "refusal", "refusal": refusal}

    def _assistant_part(self, part: Json, at: str) -> Json:
        self._note(part, "messages.content", at)
        match part.get("type"):
            case "text":
                return _write_text(required(part, "text", str, at))
            case "refusal":
                return {"type": "refusal", "refusal": required(part, "refusal", str, at)}
            case _:
                raise InvalidValue(param=f"{at}.type")

    def _add_reasoning(self, detail: Json, at: str) -> None:
        if detail.get("format") != FORMAT:
            self.foreign = True
            return
        name = optional(detail, "id", str, at) or f"rs_{len(self.items)}"
        item: Json = {"type": "reasoning", "id": name, "summary": _write_summary(detail, at)}
        match detail.get("type"):
            case "reasoning.encrypted":
                item["encrypted_content"] = required(detail, "data", str, at)
            case "reasoning.text":
                item["content"] = [{"type": "reasoning_text", "text": required(detail, "text", str, at)}]
            case _:
                raise InvalidValue(param=f"{at}.type")
        self.items.append(item)

    def _add_call(self, call: Json, at: str) -> None:
        if call.get("extra_content") is not None:
            self.noted["messages.tool_calls.extra_content"] = None
        name = required(call, "id", str, at)
        match call.get("type", "function"):
            case "function":
                function = required(call, "function", dict, at)
                written = {"type": "function_call", "arguments": required(function, "arguments", str, f"{at}.function")}
                tool = required(function, "name", str, f"{at}.function")
            case "custom":
                custom = required(call, "custom", dict, at)
                written = {"type": "custom_tool_call", "input": required(custom, "input", str, f"{at}.custom")}
                tool = required(custom, "name", str, f"{at}.custom")
                self._custom.add(name)
            case _:
                raise InvalidValue(param=f"{at}.type")
        self.items.append({**written, "call_id": name, "name": tool})

    def _add_output(self, message: Json, at: str) -> None:
        name = required(message, "tool_call_id", str, at)
        kind = "custom_tool_call_output" if name in self._custom else "function_call_output"
        self.items.append({"type": kind, "call_id": name, "output": self._content(message, at)})


def _write_text(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": []}


def _write_image(part: Json, at: str) -> Json:
    """A bare URL, as some clients send it, is one too."""
    given = part.get("image_url")
    image = {"url": given} if isinstance(given, str) else required(part, "image_url", dict, at)
    url = required(image, "url", str, f"{at}.image_url")
    detail = optional(image, "detail", str, f"{at}.image_url") or "auto"
    return {"type": "input_image", "image_url": url, "detail": detail}


def _write_file(file: Json, at: str) -> Json:
    written = {name: value for name in ("file_id", "filename") if (value := optional(file, name, str, at)) is not None}
    data = optional(file, "file_data", str, at)
    if data is not None:
        written["file_url" if data.startswith(("https://", "http://")) else "file_data"] = data
    elif "file_id" not in written:
        raise MissingParameter(param=f"{at}.file_data")
    return {"type": "input_file", **written}


def _write_summary(detail: Json, at: str) -> list[Json]:
    texts = optional(detail, "summary", list, at) or ()
    if not all(isinstance(text, str) for text in texts):
        raise InvalidValue(param=f"{at}.summary")
    return [{"type": "summary_text", "text": text} for text in texts]
