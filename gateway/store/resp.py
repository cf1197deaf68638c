"""What goes over a connection to Redis: RESP 2, as far as it is spoken here.

https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from dataclasses import dataclass

# Of all that has come of replies that are not whole yet; the longest that is asked for has a hundred bytes.
LONGEST = 65_536


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """Its first word is a code."""

    text: bytes


Reply = bytes | int | list[bytes | int] | ErrorReply


def pack(fields: list[bytes]) -> bytes:
    """A command."""
    return b"*%d\r\n%b" % (len(fields), pack_fields(fields))


def pack_fields(fields: list[bytes]) -> bytes:
    """Some of a command's."""
    return b"".join([b"$%d\r\n%b\r\n" % (len(field), field) for field in fields])


class Replies:
    """Whole replies out of a stream that is cut anywhere."""

    __slots__ = ("_rest", "broken")

    def __init__(self) -> None:
        self.broken = False
        self._rest = b""

    def feed(self, data: bytes) -> list[Reply]:
        """Once it is `broken`, what follows is no reply."""
        if self._rest:
            data = self._rest + data
        lines = data.split(b"\r\n")
        at, end = 0, len(lines) - 1
        replies: list[Reply] = []
        try:
            while at < end:
                line = lines[at]
                if line[:1] == b"+":
                    replies.append(line[1:])
                    at += 1
                else:
                    reply, at = _read(lines, at, end)
                    replies.append(reply)
        except ValueError:
            self.broken = True
        except EOFError:
            pass
        self._rest = b"\r\n".join(lines[at:]) if at < end else lines[end]
        if len(self._rest) > LONGEST:
            self.broken = True
        return replies


def _read(lines: list[bytes], at: int, end: int) -> tuple[Reply, int]:
    """The reply that begins there, and where the next one does. Raises EOFError if it has not all come, ValueError."""
    line = lines[at]
    if line[:1] != b"*":
        return _read_plain(lines, at, end)
    count = int(line[1:])
    if not 0 <= count <= LONGEST:
        raise ValueError("no count")
    at += 1
    items: list[bytes | int] = []
    for _ in range(count):
        if at >= end:
            raise EOFError
        item, at = _read_plain(lines, at, end)
        if isinstance(item, ErrorReply):
            raise ValueError("an error in a list")
        items.append(item)
    return items, at


def _read_plain(lines: list[bytes], at: int, end: int) -> tuple[bytes | int | ErrorReply, int]:
    """Not a list."""
    line = lines[at]
    match line[:1]:
        case b"+":
            return line[1:], at + 1
        case b"-":
            return ErrorReply(line[1:]), at + 1
        case b":":
            return int(line[1:]), at + 1
        case b"$":
            if not 0 <= int(line[1:]) <= LONGEST:
                raise ValueError("no length")
            if at + 1 >= end:
                raise EOFError
            if len(lines[at + 1]) != int(line[1:]):
                raise ValueError("nothing that is asked for has line ends in it")
            return lines[at + 1], at + 2
    raise ValueError("not RESP")
