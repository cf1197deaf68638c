"""The input of a custom tool, which chat has as JSON with one text: read while it is written."""

import re

import msgspec

KEY = "input"

_START = re.compile(r'\s*\{\s*"input"\s*:\s*"')
# What may still become the start.
_OPENING = re.compile(r'\s*(?:\{\s*(?:"(?:i(?:n(?:p(?:u(?:t(?:"\s*(?::\s*)?)?)?)?)?)?)?)?)?')
_PLAIN = re.compile(r'[^"\\]*')
# A high surrogate waits for the low one.
_ESCAPE = re.compile(
    r'\\(?:["\\/bfnrt]|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u(?![dD][89abAB])[0-9a-fA-F]{4})'
)


class Freeform:
    """`add` the arguments as they come; each gives what of the input is sure by now, and `end` the rest.

    Arguments that are not what the tool's schema asks for are the input themselves.
    """

    def __init__(self) -> None:
        self._arguments: list[str] = []
        self._rest = ""
        self._inside = self._over = False
        self._given: list[str] = []

    def add(self, fragment: str) -> str:
        self._arguments.append(fragment)
        if self._over:
            return ""
        self._rest += fragment
        if not self._inside:
            if (start := _START.match(self._rest)) is None:
                self._over = _OPENING.fullmatch(self._rest) is None
                return ""
            self._inside, self._rest = True, self._rest[start.end() :]
        return self._give(self._decode())

    def end(self) -> str:
        """Of arguments that were cut short, what could be read of the input is all of it."""
        arguments = "".join(self._arguments)
        whole = read_freeform(arguments)
        if self._inside and whole == arguments:
            return ""
        return self._give(whole[len(self.text) :]) if whole.startswith(self.text) else ""

    @property
    def text(self) -> str:
        return "".join(self._given)

    def _give(self, text: str) -> str:
        if text:
            self._given.append(text)
        return text

    def _decode(self) -> str:
        """Up to the end of the text, or what is incomplete of it."""
        found, at, rest = [], 0, self._rest
        while at < len(rest):
            plain = _PLAIN.match(rest, at)
            if plain is not None and plain.end() > at:
                found.append(plain.group())
                at = plain.end()
                continue
            if rest[at] == '"':
                self._over = True
                break
            if (escape := _ESCAPE.match(rest, at)) is None:
                self._over = len(rest) - at >= len(r"\ud83d\ude00")
                break
            found.append(_unescape(escape.group()))
            at = escape.end()
        self._rest = rest[at:]
        return "".join(found)


def _unescape(escape: str) -> str:
    try:
        return msgspec.json.decode(f'"{escape}"', type=str)
    except (msgspec.MsgspecError, ValueError):
        return "\ufffd"


def read_freeform(arguments: str) -> str:
    """Of whole arguments."""
    try:
        found = msgspec.json.decode(arguments, type=dict[str, msgspec.Raw])
        if KEY in found:
            return msgspec.json.decode(found[KEY], type=str)
        if len(found) == 1:
            return msgspec.json.decode(next(iter(found.values())), type=str)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    return arguments
