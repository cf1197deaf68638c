"""Messages as `contents` and `systemInstruction`."""

import bisect
from operator import itemgetter

import msgspec

from gateway.core.errors import Inexpressible, InvalidValue, MissingParameter
from gateway.wire.events import Json
from gateway.wire.expect import a_list, a_name, a_text, an_object
from gateway.wire.openai_gemini.fields import Dropped
from gateway.wire.openai_gemini.parts import ASKED, RESULT, SAID, TEXT, read_parts
from gateway.wire.openai_gemini.thinking import Family

FORMAT = "google-gemini-v1"
MAX_DEPTH = 64

# Google's own word for a call that another model made: https://ai.google.dev/gemini-api/docs/thought-signatures
_FOREIGN_CALL = "skip_thought_signature_validator"

_arguments = msgspec.json.Decoder(dict[str, object])


class Conversation:
    """Messages, one after another. Texts of the system and of developers stand together before all others."""

    def __init__(self, family: Family, dropped: Dropped) -> None:
        self._family = family
        self._dropped = dropped
        self._system: list[Json] = []
        self._contents: list[Json] = []
        self._results: list[tuple[int, Json, list[Json]]] = []
        self._calls: dict[str, tuple[str, int]] = {}

    def write(self) -> Json:
        """Gemini takes no request without contents: instructions that are alone are what the user says."""
        self._add_results()
        if not self._contents:
            return {"contents": [{"role": "user", "parts": self._system or [{"text": ""}]}]}
        instruction = {"systemInstruction": {"parts": self._system}} if self._system else {}
        return {"contents": self._contents} | instruction

    def read(self, message: Json, param: str) -> None:
        self._dropped.look(message, "messages", param)
        content = message.get("content")
        role = message.get("role")
        if role == "tool":
            self._read_result(message, param)
            return
        self._add_results()
        match role:
            case "system" | "developer":
                self._system += read_parts(content, TEXT, f"{param}.content", self._dropped)
            case "user":
                parts = read_parts(content, ASKED, f"{param}.content", self._dropped)
                self._add("user", parts or [{"text": ""}])
            case "assistant":
                self._add("model", self._read_answer(message, param))
            case "function":
                raise Inexpressible(param=f"{param}.role")
            case _:
                raise InvalidValue(param=f"{param}.role")

    def _add(self, role: str, parts: list[Json]) -> None:
        last = self._contents[-1] if self._contents else None
        # A turn of results has no other parts: Gemini counts them against the calls.
        if last and last["role"] == role and "functionResponse" not in last["parts"][0]:
            last["parts"] += parts
        elif parts:
            self._contents.append({"role": role, "parts": parts})

    def _read_answer(self, message: Json, param: str) -> list[Json]:
        parts = []
        content, refusal = message.get("content"), message.get("refusal")
        if content is not None:
            parts = read_parts(content, SAID, f"{param}.content", self._dropped)
        if refusal is not None:
            parts += read_parts(a_text(refusal, f"{param}.refusal"), TEXT, f"{param}.refusal", self._dropped)
        parts = _with_signatures(parts, message.get("reasoning_details"), f"{param}.reasoning_details")
        if (calls := message.get("tool_calls")) is not None:
            parts += self._read_calls(a_list(calls, f"{param}.tool_calls"), f"{param}.tool_calls")
        return parts

    def _read_calls(self, calls: list[object], param: str) -> list[Json]:
        parts = []
        for at, item in enumerate(calls):
            path = f"{param}[{at}]"
            call = an_object(item, path)
            self._dropped.look(call, "messages.tool_calls", path)
            if call.get("type", "function") != "function":
                raise InvalidValue(param=f"{path}.type")
            function = an_object(call.get("function"), f"{path}.function")
            name = a_name(function.get("name"), f"{path}.function.name")
            arguments = _read_arguments(function.get("arguments"), f"{path}.function.arguments")
            told: Json = {"name": name, "args": arguments}
            key = a_name(call.get("id"), f"{path}.id")
            if self._family.signed:
                told["id"] = key
            self._calls[key] = name, at
            signature = _read_signature(call.get("extra_content"), f"{path}.extra_content")
            # Of parallel calls only the first has one.
            if signature is None and at == 0 and self._family.signed:
                signature = _FOREIGN_CALL
            parts.append({"functionCall": told} | ({"thoughtSignature": signature} if signature else {}))
        return parts

    def _read_result(self, message: Json, param: str) -> None:
        key = a_name(message.get("tool_call_id"), f"{param}.tool_call_id")
        if key not in self._calls:
            raise InvalidValue(param=f"{param}.tool_call_id")
        name, at = self._calls[key]
        parts = read_parts(message.get("content"), RESULT, f"{param}.content", self._dropped)
        media = [part for part in parts if "text" not in part]
        output = "\n".join(part["text"] for part in parts if "text" in part)
        response: Json = {"name": name, "response": {"output": output}}
        if self._family.signed:
            response["id"] = key
            if media:
                response["parts"], media = media, []
        # In the order of the calls: those of one function are told apart by nothing else before Gemini 3.
        bisect.insort(self._results, (at, {"functionResponse": response}, media), key=itemgetter(0))

    def _add_results(self) -> None:
        if self._results:
            parts = [part for _, part, _ in self._results]
            media = [part for _, _, found in self._results for part in found]
            self._contents.append({"role": "user", "parts": parts + media})
            self._results = []


def read_messages(messages: object, family: Family, dropped: Dropped) -> Json:
    """`contents`, and `systemInstruction` where there is one. Raises InvalidValue, MissingParameter, Inexpressible."""
    if messages is None:
        raise MissingParameter(param="messages")
    found = a_list(messages, "messages")
    if not found:
        raise InvalidValue(param="messages")
    conversation = Conversation(family, dropped)
    for at, message in enumerate(found):
        conversation.read(an_object(message, f"messages[{at}]"), f"messages[{at}]")
    return conversation.write()


def _read_arguments(arguments: object, param: str) -> Json:
    text = a_text(arguments, param)
    if not text.strip():
        return {}
    try:
        found = _arguments.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise InvalidValue(param=param) from None
    layer: list[object] = [found]
    for _ in range(MAX_DEPTH):
        layer = [
            inner
            for value in layer
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
    if layer:
        raise InvalidValue(param=param)
    return found


def _read_signature(extra: object, param: str) -> str | None:
    if extra is None:
        return None
    google = an_object(extra, param).get("google")
    if google is None:
        return None
    signature = an_object(google, f"{param}.google").get("thought_signature")
    return None if signature is None else a_text(signature, f"{param}.google.thought_signature")


def _with_signatures(parts: list[Json], details: object, param: str) -> list[Json]:
    """What the model thought, where it is signed, before what it said; a signature of what it said on its last part."""
    thoughts: list[Json] = []
    for at, item in enumerate([] if details is None else a_list(details, param)):
        path = f"{param}[{at}]"
        detail = an_object(item, path)
        if detail.get("format") != FORMAT:
            continue
        if detail.get("type") == "reasoning.text":
            if (signature := detail.get("signature")) is not None:
                text = a_text(detail.get("text"), f"{path}.text")
                signature = a_text(signature, f"{path}.signature")
                thoughts.append({"text": text, "thought": True, "thoughtSignature": signature})
        elif detail.get("type") == "reasoning.encrypted":
            said = parts.pop() if parts and "thoughtSignature" not in parts[-1] else {"text": ""}
            parts = [*parts, said | {"thoughtSignature": a_text(detail.get("data"), f"{path}.data")}]
    return thoughts + parts
