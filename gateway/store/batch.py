"""One connection, one trip at a time: whatever arrives while a trip is under way forms the next one."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from redis.asyncio.connection import Connection
from redis.exceptions import NoScriptError, RedisError

from gateway.core.ports import StoreMeter
from gateway.store.command import Awaited, Command, Load
from gateway.store.failures import RELINK, Failure, Kind, Unlinked, kind_of_loss, kind_of_reply
from gateway.store.link import LOSSES, REPLIES, abort, connect, write

TRIP = 256
WAITING = 100_000
# A loop that was held up looks at its sockets once more before it calls a reply late.
GRACE = 0.02

# What a mixed trip is measured as: the first of these that is in it.
RANK = {"admit": 0, "use": 1, "settle": 2, "renew": 3, "connect": 4}


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a new connection begins with: the scripts' texts, and a command that answers 0 if scripts can write here."""

    scripts: tuple[bytes, ...]
    probe: bytes


class Batcher:
    """Carries commands over `link`, first come, first sent.

    A trip may take `timeout` seconds, and what is Awaited brings its own deadline.

    The first reply that is late ends the connection, so that no later call ever reads it; so does any word of Redis
    that it can't serve. `lost` is told before any command is.
    """

    def __init__(
        self, link: Connection, greeting: Greeting, meter: StoreMeter, lost: Callable[[Failure], None]
    ) -> None:
        self.open = False
        self.timeout = 0.1
        self._link = link
        self._greeting = greeting
        self._meter = meter
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._connected = False
        self._reading: asyncio.Task[None] | None = None
        self._waiting: deque[Command] = deque()
        # Per trip; when it began in the loop's time, and by a clock that counts less than milliseconds:
        self._flying: deque[Command] = deque()
        self._returned: list[Command] = []
        self._unknown_scripts = False
        self._refusal: Failure | None = None
        self._op = "connect"
        self._began = 0.0
        self._sent = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._late = False

    def __repr__(self) -> str:
        state = "open" if self.open else "closed"
        return f"<Batcher {state}, {len(self._flying)} in flight, {len(self._waiting)} waiting>"

    def put(self, command: Command) -> None:
        """It goes with the next trip; while there is no connection, only what is kept waits for one."""
        if not (self.open or command.keep):
            command.failed(Failure(Kind.CONNECTION))
            return
        if len(self._waiting) >= WAITING:
            self._fail(self._waiting.popleft(), Failure(Kind.DROPPED))
        self._waiting.append(command)
        if self.open and not self._flying:
            self._depart()

    async def connect(self) -> None:
        """Connect, and see that scripts can write there. Raises Unlinked, which is counted here."""
        self.drop(Failure(Kind.CONNECTION))
        if self._reading is not None:
            await asyncio.wait((self._reading,))
        try:
            await connect(self._link)
            self._connected = True
            self._reading = self._loop.create_task(self._read(), name="store replies")
            await self._greet()
        except Unlinked as error:
            self._meter.error("connect", error.kind.value)
            raise
        finally:
            if not self.open:
                self.drop(Failure(Kind.CONNECTION))

    async def _greet(self) -> None:
        probe = Awaited("connect", self._greeting.probe, 1, self._loop.time() + self.timeout)
        self._send([*map(Load, self._greeting.scripts), probe])
        reply = await probe.future
        if isinstance(reply, Failure):
            self.drop(reply)
            raise Unlinked(reply.kind)
        if not self._connected:
            raise Unlinked(Kind.CONNECTION)
        self.open = True
        self._depart()

    def drop(self, failure: Failure) -> None:
        """End the connection. What is kept waits for the next one, in its order; all else fails."""
        if not self._connected:
            return
        if self.open and failure is not self._refusal:
            self._meter.error(self._op if self._flying else "connect", failure.kind.value)
        self.open = self._connected = False
        abort(self._link)
        if self._reading is not None and self._reading is not asyncio.current_task():
            self._reading.cancel()
        flying, waiting = self._flying, [*self._returned, *self._waiting]
        self._forget_trip()
        for command in flying:
            command.unanswered()
        for command in waiting:
            command.passed_over()
        self._waiting = deque(command for command in (*flying, *waiting) if command.keep)
        self._lost(failure)
        for command in flying:
            if not command.keep:
                command.failed(Failure(failure.kind, unknown=True))
        for command in waiting:
            if not command.keep:
                command.failed(Failure(failure.kind))

    async def close(self) -> None:
        """What is still kept is lost, and counted. Nobody is told of the end of the connection."""
        self.open, self._lost = False, _ignore
        self.drop(Failure(Kind.CONNECTION))
        if self._reading is not None:
            await asyncio.wait((self._reading,))
        while self._waiting:
            self._fail(self._waiting.popleft(), Failure(Kind.DROPPED))

    @property
    def idle(self) -> bool:
        """Nothing is under way, nothing waits."""
        return not (self._flying or self._waiting)

    def _forget_trip(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._flying, self._returned, self._watch = deque(), [], None
        self._unknown_scripts, self._refusal, self._late = False, None, False

    # -- trips

    def _depart(self) -> None:
        batch: list[Command] = []
        while self._waiting and len(batch) < TRIP:
            command = self._waiting.popleft()
            if command.wanted:
                batch.append(command)
        if self._unknown_scripts and batch:
            self._unknown_scripts = False
            batch[:0] = map(Load, self._greeting.scripts)
        if batch:
            self._send(batch)

    def _send(self, batch: Sequence[Command]) -> None:
        self._flying.extend(batch)
        self._op = min([command.op for command in batch], key=RANK.__getitem__)
        self._began, self._sent = self._loop.time(), time.perf_counter()
        due = self._began + self.timeout
        if self._watch is not None and self._watch.when() > due:  # of a trip that was given longer
            self._watch.cancel()
            self._watch = None
        if self._watch is None:
            self._watch = self._loop.call_at(due, self._check)
        try:
            write(self._link, b"".join([command.packed() for command in batch]))
        except OSError as error:
            self.drop(Failure(kind_of_loss(error)))

    async def _read(self) -> None:
        while self._connected:
            try:
                reply = await self._link.read_response(disconnect_on_error=False)
            except REPLIES as error:
                reply = error
            except LOSSES as error:
                self.drop(Failure(kind_of_loss(error)))
                return
            try:
                self._arrive(self._flying[0], reply)
            except (ValueError, IndexError):  # not what was asked, or nothing was
                self.drop(Failure(Kind.PROTOCOL))

    def _arrive(self, command: Command, reply: object) -> None:
        """Raises ValueError, and the command is still in flight."""
        if isinstance(reply, NoScriptError) and self.open:
            self._unknown_scripts = True
            self._returned.append(command)
        elif isinstance(reply, RedisError):
            self._refuse(command, Failure(kind_of_reply(reply)))
        else:
            command.answered(reply)
        self._flying.popleft()
        if not self._flying:
            self._finish_trip()

    def _refuse(self, command: Command, failure: Failure) -> None:
        if not command.vital:
            command.failed(failure)
            return
        down = failure.kind in RELINK or isinstance(command, Load)
        if down:
            self._refusal = failure
        if down and command.keep:
            self._returned.append(command)
        elif self.open:
            self._fail(command, failure)
        else:
            command.failed(failure)

    def _fail(self, command: Command, failure: Failure) -> None:
        self._meter.error(command.op, failure.kind.value)
        command.failed(failure)

    def _finish_trip(self) -> None:
        self._meter.trip(self._op, time.perf_counter() - self._sent)
        if self._refusal is not None:
            self.drop(self._refusal)
            return
        self._waiting.extendleft(reversed(self._returned))
        self._returned.clear()
        if self.open:
            self._depart()

    def _check(self) -> None:
        """One timer for all, and nothing is cancelled for a reply that is in time."""
        self._watch = None
        late, self._late = self._late, False
        if not self._flying:
            return
        asked = [command.deadline for command in (*self._flying, *self._waiting) if command.wanted]
        due, now = min([self._began + self.timeout, *asked]), self._loop.time()
        if now >= due and (late or now - due < GRACE):
            self.drop(Failure(Kind.TIMEOUT))
            return
        self._late = now >= due
        self._watch = self._loop.call_at(now + GRACE if self._late else due, self._check)


def _ignore(failure: Failure) -> None:
    pass
