"""What a chat model needs back of its reasoning, in the one text that a caller of Responses keeps: `encrypted_content`.

What OpenAI itself encrypted stays as it is. Anything else, which may be other providers' signatures, is sealed: it is
not a secret, but only the gateway reads it.
"""

import base64
import binascii

import msgspec

from gateway.core.errors import InvalidValue
from gateway.wire.events import Json

FORMAT = "openai-responses-v1"
MARK = "gateway-v1."

_NAMES = {"reasoning.text": "text", "reasoning.summary": "summary"}
_Scalar = str | int | float | bool | None


class Sealed(msgspec.Struct, omit_defaults=True):
    """`signatures` are the thought signatures of tool calls, by call id."""

    details: list[dict[str, _Scalar]] = []
    signatures: dict[str, str] = {}


_decoder = msgspec.json.Decoder(Sealed)


def seal(details: list[Json], signatures: dict[str, str]) -> str:
    if len(details) == 1 and not signatures:
        only = details[0]
        if only.keys() == {"type", "data", "format"} and only["format"] == FORMAT and isinstance(only["data"], str):
            return only["data"]
    flat = [{k: v for k, v in one.items() if isinstance(v, _Scalar)} for one in details]
    return MARK + base64.urlsafe_b64encode(msgspec.json.encode(Sealed(flat, signatures))).decode()


def is_sealed(content: str) -> bool:
    return content.startswith(MARK)


def unseal(content: str, param: str) -> Sealed:
    try:
        return _decoder.decode(base64.urlsafe_b64decode(content.removeprefix(MARK)))
    except (msgspec.MsgspecError, ValueError, binascii.Error, RecursionError):
        raise InvalidValue(param=param) from None


class Details:
    """`reasoning_details` of a stream, whose texts come in fragments, and the signature of a text after it."""

    def __init__(self) -> None:
        self._found: list[tuple[Json, list[str]]] = []

    def add(self, fragments: object) -> str:
        """Returns the text that came with them."""
        came = []
        for fragment in fragments if isinstance(fragments, list) else ():
            if isinstance(fragment, dict) and isinstance(fragment.get("type"), str):
                came.append(_text(fragment))
                self._add(fragment, came[-1])
        return "".join(came)

    def whole(self) -> list[Json]:
        return [{**one, _NAMES[one["type"]]: "".join(texts)} if texts else one for one, texts in self._found]

    def _add(self, fragment: Json, text: str) -> None:
        if not self._found or not _continues(self._found[-1][0], fragment):
            self._found.append((dict(fragment), [text] if text else []))
            return
        last, texts = self._found[-1]
        last.update({name: value for name, value in fragment.items() if value is not None})
        if text:
            texts.append(text)


def _continues(last: Json, fragment: Json) -> bool:
    if fragment["type"] not in _NAMES or last["type"] != fragment["type"] or last.get("signature"):
        return False
    return all(last.get(name) == fragment[name] for name in ("index", "id") if fragment.get(name) is not None)


def _text(detail: Json) -> str:
    found: object = detail.get(_NAMES.get(detail["type"], ""))
    return found if isinstance(found, str) else ""
