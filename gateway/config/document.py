"""YAML text to plain data and the places of its parts, in one pass over the parser's events.

Nothing is constructed from tags. Size, depth and what aliases may repeat are bounded before the data grows, so that an
alias bomb costs no more than its text.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

from gateway.config.faults import ConfigError, Fault, Path, rendered
from gateway.config.places import Places
from gateway.config.scalars import PREFIX, Scalar, is_of, scalar

# What a file that is none (a log, a dump) may cost: some ten seconds of one core and some 700 MB.
MAX_BYTES = 32 << 20
MAX_DEPTH = 32
MAX_REPEATED = 10_000

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
BARE_VARIABLE = re.compile(r"[{,].*[\s:]\$\{")


@dataclass(slots=True)
class Variable:
    """A text with a `$` in it: `holder[part]`, at `path`."""

    holder: Any
    part: str | int
    path: Path


@dataclass(slots=True)
class Document:
    """A file that could be read as YAML; `faults` are those that did not keep it from being read.

    `data` is mappings, lists and scalars. Each container is there only once: what an alias repeats is a copy.
    `variables` and `empty` (what has no value) are those in it.
    """

    file: str
    data: object
    places: Places
    variables: list[Variable]
    empty: list[Path]
    faults: list[Fault]


def compose(content: bytes, file: str) -> Document:
    """Read one YAML document. Raises ConfigError if that cannot be done."""
    if len(content) > MAX_BYTES:
        raise ConfigError([Fault(file, 0, 0, "", f"is larger than {MAX_BYTES} bytes")])
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        bad = error.start
    else:
        return Composer(file, text.removeprefix("\ufeff")).compose()
    raise ConfigError([Fault(file, *_place(content, bad), "", "is not valid UTF-8")])


def _place(content: bytes, offset: int) -> tuple[int, int]:
    before = content[:offset]
    return before.count(b"\n") + 1, len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1


class ListFrame:
    """A list whose end has not come yet; `part` is its own key or index, None in a pair that is dropped."""

    __slots__ = ("dropped", "holder", "offsets", "part")

    waiting = True

    def __init__(self, holder: list[Any], part: str | int | None, *, dropped: bool) -> None:
        self.holder = holder
        self.part = part
        self.dropped = dropped
        self.offsets: list[int] = []

    @property
    def next_part(self) -> int:
        return len(self.holder)

    def put(self, value: Any, offset: int) -> int:
        self.holder.append(value)
        self.offsets.append(offset)
        return len(self.holder) - 1


class MappingFrame:
    """A mapping whose end has not come yet. While it is `waiting` for a value, `next_part` is that's key.

    None if the pair is to be dropped.
    """

    __slots__ = ("dropped", "holder", "key_offset", "next_part", "offsets", "part", "waiting")

    def __init__(self, holder: dict[str, Any], part: str | int | None, *, dropped: bool) -> None:
        self.holder = holder
        self.part = part
        self.dropped = dropped
        self.offsets: list[int] = []
        self.waiting = False
        self.next_part: str | None = None
        self.key_offset = 0

    def put(self, value: Any, offset: int) -> str | None:
        key = self.next_part
        self.waiting, self.next_part = False, None
        if key is not None:
            self.holder[key] = value
            self.offsets += (self.key_offset, offset)
        return key


class Composer:
    """Builds the data with a stack of its own: no depth can overflow Python's. The first frame is around the root."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self.places = Places(text)
        self.faults: list[Fault] = []
        self.variables: list[Variable] = []
        self.empty: list[Path] = []
        self.duplicates: list[tuple[dict[str, Any], str, int, Path]] = []
        self.root = ListFrame([], None, dropped=False)
        self.frame: ListFrame | MappingFrame = self.root
        self.stack: list[ListFrame | MappingFrame] = [self.root]
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.repeated = 0

    def compose(self) -> Document:
        takers: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._take_scalar,
            yaml.MappingStartEvent: self._open,
            yaml.SequenceStartEvent: self._open,
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
            yaml.AliasEvent: self._take_alias,
            yaml.DocumentStartEvent: self._begin,
        }
        try:
            for event in iter(LOADER(self.text).get_event, None):
                if take := takers.get(event.__class__):
                    take(event)
        except yaml.YAMLError as error:
            broken: Fault | None = self._broken(error)
        else:
            broken = None if self.root.holder else Fault(self.file, 1, 1, "", "is empty")
        if broken:
            raise ConfigError([*self._all_faults(), broken])
        self.places.root = self.root.offsets[0]
        return Document(self.file, self.root.holder[0], self.places, self.variables, self.empty, self._all_faults())

    def _broken(self, error: yaml.YAMLError) -> Fault:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        if mark is None:
            place = _place(self.text.encode(), getattr(error, "position", None) or 0)
            problem = "control characters are not allowed"
        else:
            place = mark.line + 1, mark.column + 1
            problem = getattr(error, "problem", None) or "cannot be read"
            if BARE_VARIABLE.search("".join(self.text.splitlines()[mark.line : mark.line + 1])):
                problem += " (between braces, ${VAR} needs quotes around it)"
        return Fault(self.file, *place, "", f"is not valid YAML: {problem}")

    def _begin(self, event: Any) -> None:
        if self.root.holder:
            self._abort(event.start_mark.index, (), "has a second document: only one is allowed in a file")

    def _take_scalar(self, event: Any) -> None:
        text: str = event.value
        offset: int = event.start_mark.index
        value: Scalar = text
        if event.tag is not None:
            value = self._tagged(event.tag, text, offset)
        elif event.implicit[0]:
            value = scalar(text)
        if event.anchor is not None:
            self.anchors[event.anchor] = value, offset
        if self.frame.waiting:
            self._put(value, offset)
        else:
            self._take_key(text, offset, plain=event.implicit[0])

    def _tagged(self, tag: str, text: str, offset: int) -> Scalar:
        if tag in ("!", PREFIX + "str"):
            return text
        value = scalar(text)
        if not is_of(tag, value):
            self._fault(offset, self._path(), "tags are not allowed (quote a value that begins with '!')")
        return value

    def _take_key(self, key: str, offset: int, *, plain: bool) -> None:
        """Its text, whatever type it would have as a value."""
        frame = self.frame
        assert isinstance(frame, MappingFrame)
        if key == "<<" and plain:
            self._fault(offset, self._path(), "merge keys (<<) are not supported")
        elif key in frame.holder:
            self.duplicates.append((frame.holder, key, offset, (*self._path(), key)))
        else:
            frame.next_part, frame.key_offset = key, offset
        frame.waiting = True

    def _put(self, value: Any, offset: int) -> str | int | None:
        """Where it went: its key or index; None if it was dropped."""
        frame = self.frame
        if not frame.waiting:
            assert isinstance(frame, MappingFrame)
            self._fault(offset, self._path(), "a key must be plain text")
            frame.waiting = True
            return None
        part = frame.next_part
        if (value is None or (value.__class__ is str and "$" in value)) and part is not None and not frame.dropped:
            self._note(value, frame.holder, part, self._path())
        return frame.put(value, offset)

    def _note(self, value: Any, holder: Any, part: str | int, path: Path) -> None:
        if value is None:
            self.empty.append(path)
        elif isinstance(value, str) and "$" in value:
            self.variables.append(Variable(holder, part, path))

    def _open(self, event: Any) -> None:
        offset: int = event.start_mark.index
        if len(self.stack) > MAX_DEPTH:
            self._abort(offset, (), f"is nested more than {MAX_DEPTH} levels deep")
        is_mapping = event.__class__ is yaml.MappingStartEvent
        if event.tag is not None and event.tag not in ("!", PREFIX + ("map" if is_mapping else "seq")):
            self._fault(offset, self._path(), "tags are not allowed")
        holder: Any = {} if is_mapping else []
        if event.anchor is not None:
            self.anchors[event.anchor] = holder, offset
        dropped = self.frame.dropped
        part = self._put(holder, offset)
        kind = MappingFrame if is_mapping else ListFrame
        self.frame = kind(holder, part, dropped=dropped or part is None)
        self.places.of[id(holder)] = self.frame.offsets
        self.stack.append(self.frame)

    def _close(self, _: Any) -> None:
        self.stack.pop()
        self.frame = self.stack[-1]

    def _take_alias(self, event: Any) -> None:
        offset: int = event.start_mark.index
        if event.anchor not in self.anchors:
            self._abort(offset, self._path(), "the alias has no anchor before it")
        value, origin = self.anchors[event.anchor]
        if any(frame.holder is value for frame in self.stack):
            self._abort(offset, self._path(), "the alias contains itself")
        path = self._path()
        dropped = not self.frame.waiting or self.frame.next_part is None or self.frame.dropped
        self._put(self._copied(value, offset, len(self.stack), None if dropped else path), origin)

    def _copied(self, value: Any, offset: int, depth: int, path: Path | None) -> Any:
        """Each container anew, what is in it noted as well (unless `path` is None); `offset` is the alias's own."""
        self.repeated += 1
        if self.repeated > MAX_REPEATED:
            self._abort(offset, (), f"aliases repeat more than {MAX_REPEATED} values")
        if not isinstance(value, dict | list):
            return value
        if depth > MAX_DEPTH:
            self._abort(offset, (), f"is nested more than {MAX_DEPTH} levels deep")
        copy: Any = dict(value) if isinstance(value, dict) else list(value)
        for part, child in value.items() if isinstance(value, dict) else enumerate(value):
            place = None if path is None else (*path, part)
            copy[part] = self._copied(child, offset, depth + 1, place)
            if place is not None:
                self._note(child, copy, part, place)
        self.places.of[id(copy)] = self.places.of[id(value)]
        return copy

    def _path(self) -> Path:
        """Of what comes next."""
        parts = [frame.part for frame in self.stack[2:]]
        if len(self.stack) > 1 and self.frame.waiting:
            parts.append(self.frame.next_part)
        return tuple(part for part in parts if part is not None)

    def _fault(self, offset: int, path: Path, message: str) -> None:
        self.faults.append(Fault(self.file, *self.places.at(offset), rendered(path), message))

    def _all_faults(self) -> list[Fault]:
        """Where a duplicate's first key stands is looked up once all are known."""
        for holder, key, offset, path in self.duplicates:
            line = self.places.line_of(holder, key)
            self._fault(offset, path, f"is a duplicate: it is already on line {line}")
        self.duplicates.clear()
        return self.faults

    def _abort(self, offset: int, path: Path, message: str) -> NoReturn:
        self._fault(offset, path, message)
        raise ConfigError(self._all_faults())
