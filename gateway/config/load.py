"""From the file to the one frozen value, or to every fault in it."""

import gc
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.config.budgets import check_budgets
from gateway.config.credentials import read_secret_files
from gateway.config.document import MAX_BYTES, compose
from gateway.config.faults import ConfigError, Fault
from gateway.config.findings import Findings
from gateway.config.interpolation import interpolate
from gateway.config.references import check_references
from gateway.config.resolve import resolve
from gateway.config.rules import check_keys, check_limits, check_store, check_upstreams
from gateway.config.structure import check_structure
from gateway.core.settings import Config

__all__ = ["ConfigError", "Content", "Fault", "load", "parse"]


@dataclass(frozen=True, slots=True)
class Content:
    """What a file held when it was read, or why it could not be read.

    Equal contents have the same digest, and so have equal faults. A version is the beginning of its text's.
    """

    text: bytes = field(repr=False)
    fault: str | None = None
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", self.fault or hashlib.sha256(self.text).hexdigest())

    @classmethod
    def of(cls, path: Path) -> "Content":
        try:
            with path.open("rb") as file:
                return cls(file.read(MAX_BYTES + 1))
        except OSError as error:
            return cls.unreadable(error)

    @classmethod
    def unreadable(cls, error: OSError) -> "Content":
        return cls(b"", f"cannot be read: {error.strerror}")

    def parse(self, name: str, environ: Mapping[str, str]) -> Config:
        """Raises ConfigError."""
        if self.fault is not None:
            raise ConfigError([Fault(name, 0, 0, "", self.fault)])
        return parse(self.text, name, environ)


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """Read and parse the file. Raises ConfigError."""
    return Content.of(path).parse(str(path), environ)


def parse(text: bytes, name: str, environ: Mapping[str, str]) -> Config:
    """`text` is the file's content, `name` what faults call it. Raises ConfigError with all that is wrong."""
    with _uncollected():
        return _parsed(text, name, environ)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Nothing here makes cycles of references: looking for some among all the new objects takes a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _parsed(text: bytes, name: str, environ: Mapping[str, str]) -> Config:
    document = compose(text, name)
    findings = Findings(document)
    left_out = interpolate(document.variables, environ, findings)
    data = document.data
    if not isinstance(data, dict):
        findings.fault((), "must be a mapping with upstreams, models and keys")
        raise ConfigError(findings.faults)
    spec = None
    try:
        read_secret_files(data, findings)
        spec = check_structure(data, document.empty, left_out, findings)
        check_references(data, findings)
        check_store(data, findings)
        check_limits(data, findings)
        check_budgets(data, findings)
        check_upstreams(data, left_out, findings)
        digests = check_keys(data, left_out, findings)
        if findings.faults or spec is None:
            raise ConfigError(findings.faults)
        return resolve(spec, left_out, digests, hashlib.sha256(text).hexdigest()[:12], findings)
    finally:
        _let_go(document.places.of, *data.values(), *((spec.keys, spec.models) if spec else ()))


def _let_go(*containers: Any) -> None:
    """One by one what would else be freed at once: that takes 0.2 s of 100,000 keys, and no other thread runs then."""
    for container in containers:
        if isinstance(container, dict | list):
            take = container.pop if isinstance(container, list) else container.popitem
            while container:
                take()
