"""An answer that no upstream was asked for."""

from gateway.core.outcome import Usage
from gateway.core.ports import Receiver, Scanner
from gateway.core.route import Target


class Said:
    """Fits `ports.Answer`: all there, and nothing to let go of."""

    def __init__(self, target: Target, body: bytes) -> None:
        self.target = target
        self.headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
        self.dropped: tuple[str, ...] = ()
        self.upstream_request_id: str | None = None
        self.scanner: Scanner | None = None
        self.complete = True
        self.usage: Usage | None = Usage(0, 0)
        self._body = body

    def take(self) -> bytes:
        return self._body

    def attach(self, receiver: Receiver) -> None:
        receiver.ended()

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def release(self) -> None: ...

    def abandon(self) -> None: ...
