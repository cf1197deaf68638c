"""YAML text to a tree of positioned nodes, in one pass over the parser's events.

Scalars follow the core schema of YAML 1.2: only `true` and `false` are booleans, dates stay text. Nothing is
constructed from tags. Depth and what aliases may repeat are bounded before the tree grows, so that an alias bomb
costs no more than its text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from gateway.config.faults import ConfigError, Fault, Path, rendered

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_REPEATED = 10_000

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
PREFIX = "tag:yaml.org,2002:"
SCALAR_TAGS: dict[str, type] = {"int": int, "float": float, "bool": bool, "null": type(None)}
INTEGER = re.compile(r"[-+]?[0-9]{1,30}|0o[0-7]{1,30}|0x[0-9a-fA-F]{1,30}", re.ASCII)
REAL = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
BARE_VARIABLE = re.compile(r"[{,].*[\s:]\$\{")
WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}

Scalar = str | int | float | bool | None


@dataclass(slots=True)
class Node:
    """A value and its place (from 1). `size` and `height` are those of the tree below, aliases written out."""

    line: int
    column: int
    value: "Scalar | list[Node] | dict[str, Node]"
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    size: int = 1
    height: int = 0


@dataclass(slots=True)
class Document:
    """A file that could be read as YAML; `faults` are those that did not keep it from being read."""

    file: str
    root: Node
    faults: list[Fault]


def scalar(text: str) -> Scalar:
    """A plain scalar by YAML 1.2's core schema; whole numbers of more than 30 digits stay text."""
    if text in WORDS:
        return WORDS[text]
    if text[0] in "+-.0123456789":
        if INTEGER.fullmatch(text):
            return int(text, 0) if text[1:2] in ("o", "x") else int(text)
        if len(text) <= 64 and REAL.fullmatch(text):
            return float(text)
        if SPECIAL.fullmatch(text):
            return float(text.replace(".", ""))
    return text


def compose(content: bytes, file: str) -> Document:
    """Read one YAML document. Raises ConfigError if that cannot be done."""
    if len(content) > MAX_BYTES:
        raise ConfigError([Fault(file, 0, 0, "", f"is larger than {MAX_BYTES} bytes")])
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        bad = error.start
    else:
        return Composer(file).compose(text.removeprefix("\ufeff"))
    raise ConfigError([Fault(file, *_place(content, bad), "", "is not valid UTF-8")])


def _place(content: bytes, offset: int) -> tuple[int, int]:
    before = content[:offset]
    return before.count(b"\n") + 1, len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1


@dataclass(slots=True)
class Frame:
    """A mapping or sequence whose end has not come yet; `key` is the one that waits for its value."""

    node: Node
    key: str | None = None
    waiting: bool = False


class Composer:
    """Builds the tree with a stack of its own, so no depth can overflow Python's."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[Fault] = []
        self.stack: list[Frame] = []
        self.anchors: dict[str, Node] = {}
        self.repeated = 0
        self.root: Node | None = None

    def compose(self, text: str) -> Document:
        for event in self._events(text):
            self._take(event)
        if self.root is None:
            raise ConfigError([Fault(self.file, 1, 1, "", "is empty")])
        return Document(self.file, self.root, self.faults)

    def _events(self, text: str) -> Iterator[Any]:
        broken: yaml.YAMLError
        try:
            yield from yaml.parse(text, Loader=LOADER)
            return
        except yaml.YAMLError as error:
            broken = error
        mark = getattr(broken, "problem_mark", None) or getattr(broken, "context_mark", None)
        if mark is None:
            line, column = _place(text.encode(), getattr(broken, "position", None) or 0)
            problem = "control characters are not allowed"
        else:
            line, column = mark.line + 1, mark.column + 1
            problem = getattr(broken, "problem", None) or "cannot be read"
            if BARE_VARIABLE.search("".join(text.splitlines()[mark.line : mark.line + 1])):
                problem += " (between braces, ${VAR} needs quotes around it)"
        self._abort(line, column, (), f"is not valid YAML: {problem}")

    def _take(self, event: Any) -> None:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        match event:
            case yaml.ScalarEvent():
                self._attach(self._scalar(event, line, column), event)
            case yaml.MappingStartEvent():
                self._open(Node(line, column, {}), event, "map")
            case yaml.SequenceStartEvent():
                self._open(Node(line, column, []), event, "seq")
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._attach(self.stack.pop().node, None)
            case yaml.AliasEvent():
                self._attach(self._alias(event.anchor, line, column), None)
            case yaml.DocumentStartEvent() if self.root is not None:
                self._abort(line, column, (), "has a second document: only one is allowed in a file")

    def _open(self, node: Node, event: Any, tag: str) -> None:
        if len(self.stack) >= MAX_DEPTH:
            self._abort(node.line, node.column, (), f"is nested more than {MAX_DEPTH} levels deep")
        if event.tag not in (None, "!", PREFIX + tag):
            self._fault(node.line, node.column, self._path(), "tags are not allowed")
        if event.anchor:
            self.anchors[event.anchor] = node
        self.stack.append(Frame(node))

    def _scalar(self, event: Any, line: int, column: int) -> Node:
        text: str = event.value
        if event.tag is None:
            return Node(line, column, scalar(text) if event.implicit[0] else text)
        value = scalar(text)
        if event.tag in ("!", PREFIX + "str"):
            value = text
        elif type(value) is not SCALAR_TAGS.get(event.tag.removeprefix(PREFIX)):
            message = "tags are not allowed (quote a value that begins with '!')"
            self._fault(line, column, self._path(), message)
        return Node(line, column, value)

    def _alias(self, anchor: str | None, line: int, column: int) -> Node:
        node = self.anchors.get(anchor or "")
        if node is None:
            self._abort(line, column, self._path(), "the alias has no anchor before it")
        if any(frame.node is node for frame in self.stack):
            self._abort(line, column, self._path(), "the alias contains itself")
        self.repeated += node.size
        if self.repeated > MAX_REPEATED:
            self._abort(line, column, (), f"aliases repeat more than {MAX_REPEATED} values")
        if len(self.stack) + node.height > MAX_DEPTH:
            self._abort(line, column, (), f"is nested more than {MAX_DEPTH} levels deep")
        return node

    def _attach(self, node: Node, event: Any) -> None:
        """Put a complete node where it belongs; `event` is the scalar's own, None for anything else."""
        if event is not None and event.anchor:
            self.anchors[event.anchor] = node
        if not self.stack:
            self.root = node
            return
        frame = self.stack[-1]
        parent = frame.node
        if isinstance(parent.value, list):
            parent.value.append(node)
        elif not frame.waiting:
            frame.key, frame.waiting = self._key(node, event), True
            return
        else:
            frame.waiting = False
            if frame.key is None:
                return
            assert isinstance(parent.value, dict)
            parent.value[frame.key] = node
        parent.size += node.size
        parent.height = max(parent.height, node.height + 1)

    def _key(self, node: Node, event: Any) -> str | None:
        """The key's text, whatever type it would have as a value; None (and a fault) if its pair is to be dropped."""
        path = self._path()
        if event is None:
            self._fault(node.line, node.column, path, "a key must be plain text")
            return None
        key: str = event.value
        if key == "<<" and event.implicit[0]:
            self._fault(node.line, node.column, path, "merge keys (<<) are not supported")
            return None
        keys = self.stack[-1].node.keys
        if key in keys:
            self._fault(node.line, node.column, (*path, key), f"is a duplicate: it is already on line {keys[key][0]}")
            return None
        keys[key] = (node.line, node.column)
        return key

    def _path(self) -> Path:
        path: list[str | int] = []
        for frame in self.stack:
            if isinstance(frame.node.value, list):
                path.append(len(frame.node.value))
            elif frame.waiting and frame.key is not None:
                path.append(frame.key)
        return tuple(path)

    def _fault(self, line: int, column: int, path: Path, message: str) -> None:
        self.faults.append(Fault(self.file, line, column, rendered(path), message))

    def _abort(self, line: int, column: int, path: Path, message: str) -> NoReturn:
        self._fault(line, column, path, message)
        raise ConfigError(self.faults)
