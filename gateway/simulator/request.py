"""A request as it arrived."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """`path` with its query; `headers` in the order and case they came in; `connection` counts from 1."""

    method: str
    path: str
    headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    body: bytes = field(repr=False)
    connection: int
    keep_alive: bool = True

    def header(self, name: bytes) -> bytes | None:
        """The first header of that name, in any case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)
