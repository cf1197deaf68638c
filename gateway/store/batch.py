"""One connection, one trip at a time: whatever arrives while a trip is under way forms the next one."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.core.ports import StoreMeter
from gateway.store.command import Awaited, Command, Load, Login, Setup
from gateway.store.failures import RELINK, Failure, Kind, Unlinked, is_unknown_script, kind_of_reply
from gateway.store.link import Address, Link
from gateway.store.resp import ErrorReply, Reply

TRIP = 256
WAITING = 100_000
# A loop that was held up looks at its sockets once more before it calls a reply late.
GRACE = 0.02
# So long what is patient waits: of calls one after another, each takes along the end of the one before.
PATIENCE = 0.005

# What a mixed trip is measured as: the first of these that is in it.
RANK = {"admit": 0, "use": 1, "settle": 2, "renew": 3, "connect": 4}


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a new connection begins with: the scripts' texts, and a command that answers 0 if scripts can write here."""

    scripts: tuple[bytes, ...]
    probe: bytes


class Batcher:
    """Carries commands to `address`, first come, first sent.

    A trip may take `timeout` seconds, and what is Awaited brings its own deadline.

    The first reply that is late ends the connection, so that no later call ever reads it; so does any word of Redis
    that it can't serve. `lost` is told before any command is.
    """

    def __init__(
        self, address: Address, greeting: Greeting, meter: StoreMeter, lost: Callable[[Failure], None]
    ) -> None:
        self.open = False
        self.timeout = 0.1
        self._address = address
        self._greeting = greeting
        self._meter = meter
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._link: Link | None = None
        self._waiting: deque[Command] = deque()
        # Whether any of those can't wait for another, and when all go that can.
        self._pressing = False
        self._patience: asyncio.TimerHandle | None = None
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
        if not command.patient:
            self._press()
        elif self._patience is None and self.open:
            self._patience = self._loop.call_later(PATIENCE, self._lose_patience)

    def _lose_patience(self) -> None:
        self._patience = None
        if self._waiting:
            self._press()

    def _press(self) -> None:
        self._pressing = True
        if self.open and not self._flying:
            self._depart()

    async def connect(self) -> None:
        """Connect, and see that scripts can write there. Raises Unlinked, which is counted here."""
        self.drop(Failure(Kind.CONNECTION))
        self._link = link = Link(self._arrive, self._end)
        try:
            await link.connect(self._address)
            await self._greet()
        except Unlinked as error:
            self._meter.error("connect", error.kind.value)
            raise
        finally:
            if not self.open:
                self.drop(Failure(Kind.CONNECTION))

    async def _greet(self) -> None:
        address = self._address
        probe = Awaited(self._loop.create_future(), self._greeting.probe, self._loop.time() + self.timeout)
        login = [] if address.login is None else [Login(address.login)]
        select = [] if address.select is None else [Setup(address.select)]
        batch = [*login, *select, *map(Load, self._greeting.scripts), probe]
        self._send(batch, [command.packed() for command in batch])
        reply = await probe.future
        if isinstance(reply, Failure):
            self.drop(reply)
            raise Unlinked(reply.kind)
        if self._link is None:
            raise Unlinked(Kind.CONNECTION)
        self.open = True
        self._depart()

    def drop(self, failure: Failure) -> None:
        """End the connection. What is kept waits for the next one, in its order; all else fails."""
        link, self._link = self._link, None
        if link is None:
            return
        if self.open and failure is not self._refusal:
            self._meter.error(self._op if self._flying else "connect", failure.kind.value)
        self.open = False
        link.abort()
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

    def close(self) -> None:
        """What is still kept is lost, and counted. Nobody is told of the end of the connection."""
        self.open, self._lost = False, _ignore
        self.drop(Failure(Kind.CONNECTION))
        if self._patience is not None:
            self._patience.cancel()
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
        waiting = self._waiting
        batch: list[Command] = []
        packed: list[bytes] = []
        while waiting and len(batch) < TRIP:
            command = waiting.popleft()
            if data := command.packed():
                batch.append(command)
                packed.append(data)
        self._pressing = bool(waiting)
        if self._unknown_scripts and batch:
            self._unknown_scripts = False
            batch[:0] = loads = [*map(Load, self._greeting.scripts)]
            packed[:0] = [load.packed() for load in loads]
        if batch:
            self._send(batch, packed)

    def _send(self, batch: Sequence[Command], packed: Sequence[bytes]) -> None:
        self._flying.extend(batch)
        self._op = min([command.op for command in batch], key=RANK.__getitem__)
        self._began, self._sent = self._loop.time(), time.perf_counter()
        due = self._began + self.timeout
        if self._watch is not None and self._watch.when() > due:  # of a trip that was given longer
            self._watch.cancel()
            self._watch = None
        if self._watch is None:
            self._watch = self._loop.call_at(due, self._check)
        assert self._link is not None
        try:
            self._link.write(b"".join(packed))
        except OSError:
            self.drop(Failure(Kind.CONNECTION))

    def _arrive(self, replies: Sequence[Reply]) -> None:
        flying = self._flying
        try:
            for reply in replies:
                if isinstance(reply, ErrorReply):
                    self._read_error(flying[0], reply)
                else:
                    flying[0].answered(reply)
                flying.popleft()
        except (ValueError, IndexError):  # not what was asked, or nothing was
            self.drop(Failure(Kind.PROTOCOL))
            return
        if replies and not flying:
            self._finish_trip()

    def _end(self, kind: Kind) -> None:
        self.drop(Failure(kind))

    def _read_error(self, command: Command, reply: ErrorReply) -> None:
        if self.open and is_unknown_script(reply):
            self._unknown_scripts = True
            self._returned.append(command)
            return
        failure = Failure(kind_of_reply(reply, command.refused))
        if not command.vital:
            command.failed(failure)
            return
        down = failure.kind in RELINK or isinstance(command, Setup)
        if down:
            self._refusal = failure
        if self.open:
            self._meter.error(command.op, failure.kind.value)
        if down and command.keep:
            self._returned.append(command)
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
        if self._returned:
            self._waiting.extendleft(reversed(self._returned))
            self._returned.clear()
            self._pressing = True
        if self._pressing and self.open:
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
