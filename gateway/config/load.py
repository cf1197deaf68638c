"""From the file to the one frozen value, or to every fault in it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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
    """What a file held when it was read, or why it could not be read."""

    text: bytes
    fault: str | None = None

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

    @property
    def digest(self) -> str:
        """Equal contents have the same one, and so have equal faults. A version is the beginning of its text's."""
        return self.fault or hashlib.sha256(self.text).hexdigest()

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
    document = compose(text, name)
    findings = Findings(document)
    draft = interpolate(document.root, environ, findings)
    if not isinstance(draft.data, dict):
        findings.fault((), "must be a mapping with upstreams, models and keys")
        raise ConfigError(findings.faults)
    read_secret_files(draft.data, findings)
    spec = check_structure(draft.data, findings)
    check_references(draft.data, findings)
    check_store(draft.data, findings)
    check_limits(draft.data, findings)
    check_budgets(draft.data, findings)
    check_upstreams(draft.data, draft.left_out, findings)
    check_keys(draft.data, draft.left_out, findings)
    if findings.faults or spec is None:
        raise ConfigError(findings.faults)
    version = hashlib.sha256(text).hexdigest()[:12]
    return resolve(spec, draft.left_out, version, findings)
