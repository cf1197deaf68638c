"""One wheel of timers for the whole process: setting one costs a dict entry, a stream's chunks cost none."""

from collections.abc import Callable

TICK = 0.05


def _nothing() -> None:
    pass


def _raise(error: Exception) -> None:
    raise error


class WheelTimer:
    """A pending callback of the wheel."""

    __slots__ = ("_slot", "callback")

    def __init__(self, callback: Callable[[], None], slot: dict["WheelTimer", None]) -> None:
        self.callback = callback
        self._slot = slot

    def cancel(self) -> None:
        """Lets go of the callback, whose owner mostly holds the timer: that would be a cycle."""
        self._slot.pop(self, None)
        self.callback = _nothing


class Wheel:
    """Slots of one tick each. `now` and all times are monotonic seconds; whoever owns the wheel calls `tick`.

    `report` hears of a callback that raised: one call's bug must not stop the clocks of all others.
    """

    def __init__(self, now: float, report: Callable[[Exception], None] = _raise) -> None:
        self.now = now
        self._report = report
        self._slots: dict[int, dict[WheelTimer, None]] = {}
        self._turn = int(now / TICK)

    def at(self, when: float, callback: Callable[[], None]) -> WheelTimer:
        turn = max(int(when / TICK) + 1, self._turn + 1)
        slot = self._slots.get(turn)
        if slot is None:
            slot = self._slots[turn] = {}
        timer = WheelTimer(callback, slot)
        slot[timer] = None
        return timer

    def tick(self, now: float) -> None:
        """Run what is due, slot by slot. A callback may set and cancel timers."""
        self.now = now
        turn = int(now / TICK)
        due = range(self._turn + 1, turn + 1)
        if len(due) > len(self._slots):
            due_turns = sorted(t for t in self._slots if t <= turn)
        else:
            due_turns = [t for t in due if t in self._slots]
        self._turn = turn
        for t in due_turns:
            slot = self._slots.pop(t)
            for timer in list(slot):
                if timer not in slot:
                    continue
                del slot[timer]
                try:
                    timer.callback()
                except Exception as error:  # noqa: BLE001
                    self._report(error)
