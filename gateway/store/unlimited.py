"""Admission without limits: everybody is let in, and nothing is held."""

from types import TracebackType
from typing import Self

from gateway.core.outcome import Record


class FreeLease:
    """Holds nothing."""

    headers: tuple[tuple[str, str], ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class Unlimited:
    """Fits `ports.Admission`."""

    async def admit(self, record: Record) -> FreeLease:
        return FreeLease()
