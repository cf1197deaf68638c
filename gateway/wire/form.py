"""multipart/form-data (RFC 7578), as far as it is read: the one part that names the model."""

import re
from collections.abc import Container
from email.message import Message

from gateway.core.call import ANY, Ask, Call, Endpoint, Form
from gateway.core.errors import BadRequest, InvalidValue, MissingParameter
from gateway.wire.body import MAX_MODEL_NAME, read_ask

MAX_PARTS = 64
MAX_PART_HEAD = 4096

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=?-]{1,70}")  # RFC 2046, section 5.1.1, without spaces
_LINE_END = re.compile(rb"[\r\n]")  # as some parsers have it

UNREADABLE = "The form can't be read."
FORMS = frozenset((Endpoint.TRANSCRIPTIONS,))


def read_body(body: bytes, call: Call, providers: Container[str]) -> Ask:
    """Raises what `read_ask` and `read_form` do."""
    if call.stored:
        return Ask(ANY, {}, provider=call.provider, max_tokens=0, stored=call.stored)
    return read_form(body, call) if call.endpoint in FORMS else read_ask(body, call, providers)


def is_form(content_type: str) -> bool:
    """Whether it is one whose parts can be told apart."""
    return _boundary(content_type) is not None


def read_form(body: bytes, call: Call) -> Ask:
    """Raises BadRequest, MissingParameter and InvalidValue. The other parts are the upstream's to judge.

    What another parser could read in another way is refused: it may find a model there that the key may not use.
    """
    boundary = _boundary(call.content_type)
    if boundary is None:
        raise BadRequest(UNREADABLE)
    model: tuple[int, int] | None = None
    for start, end in _parts(body, b"--" + boundary):
        head_end = body.find(b"\r\n\r\n", start, min(end, start + MAX_PART_HEAD))
        if head_end < 0:
            raise BadRequest(UNREADABLE)
        if _name(body[start:head_end]) == "model":
            if model is not None:
                raise InvalidValue("`model` is given twice.", param="model")
            model = head_end + 4, end
    if model is None:
        raise MissingParameter("`model` is missing.", param="model")
    name = _text(body[model[0] : model[1]])
    content_type = f'multipart/form-data; boundary="{boundary.decode()}"'
    form = Form(body[: model[0]], body[model[1] :], content_type)
    return Ask(name, {}, complexity=call.complexity, provider=call.provider, max_tokens=0, form=form)


def _boundary(content_type: str) -> bytes | None:
    if not content_type.isascii():
        return None
    head = Message()
    head["content-type"] = content_type
    boundary = head.get_boundary()
    if head.get_content_type() != "multipart/form-data" or boundary is None or not _BOUNDARY.fullmatch(boundary):
        return None
    return boundary.encode()


def _parts(body: bytes, delimiter: bytes) -> list[tuple[int, int]]:
    """From the first byte of a part's head to its last. Raises BadRequest."""
    if not body.startswith(delimiter + b"\r\n"):
        raise BadRequest(UNREADABLE)
    parts, start = [], len(delimiter) + 2
    while (end := body.find(b"\r\n" + delimiter, start)) >= 0:
        parts.append((start, end))
        after = end + 2 + len(delimiter)
        if body.startswith(b"--", after):
            if body[after + 2 :].strip(b"\r\n"):
                raise BadRequest(UNREADABLE)
            return parts
        if not body.startswith(b"\r\n", after) or len(parts) >= MAX_PARTS:
            raise BadRequest(UNREADABLE)
        start = after + 2
    raise BadRequest(UNREADABLE)


def _name(head: bytes) -> str | None:
    """Of the field (`Content-Disposition: form-data; name="…"`). Raises BadRequest for an ambiguous one."""
    values = []
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if line[:1].isspace() or _LINE_END.search(line):
            raise BadRequest(UNREADABLE)
        if name.strip().lower() == b"content-disposition":
            values.append(value)
    if len(values) > 1:
        raise BadRequest(UNREADABLE)
    message = Message()
    message["content-disposition"] = values[0].decode("latin-1").strip() if values else ""
    names = [value for name, value in message.get_params([], "content-disposition") if name.lower() == "name"]
    if len(names) > 1 or not all(isinstance(name, str) for name in names):
        raise BadRequest(UNREADABLE)
    return names[0] if names else None


def _text(value: bytes) -> str:
    try:
        name = value.decode()
    except UnicodeDecodeError:
        name = ""
    if not name.strip() or len(name) > MAX_MODEL_NAME:
        raise InvalidValue("`model` is empty or too long.", param="model")
    return name
