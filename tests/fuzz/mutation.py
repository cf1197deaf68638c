"""Bytes that are nearly right, and every way to cut them; examples are the same in every run."""

from itertools import pairwise

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

FUZZ = settings(
    derandomize=True, database=None, deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow]
)
NASTY = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\x00",
    b"\x0b",
    b"\x7f",
    b"\xff",
    b" ",
    b"\t",
    b":",
    b",",
    b";",
    b"0",
    b"1",
    b"-",
    b"+",
    b"_",
    b"x",
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\xef\xbb\xbf",
    b"\xc0\xaf",
    b"$",
    b"#",
    b"*",
]
CUTS = st.lists(st.integers(0, 1 << 16), max_size=6)


@st.composite
def mutated(draw: st.DrawFn, originals: list[bytes], pieces: list[bytes] = NASTY, most: int = 3) -> bytes:
    """One of the originals with a few places where something was put in, taken out, or said twice."""
    data = draw(st.sampled_from(originals))
    for _ in range(draw(st.integers(0, most))):
        at = draw(st.integers(0, len(data)))
        until = min(len(data), at + draw(st.integers(0, 8)))
        match draw(st.sampled_from(["insert", "replace", "remove", "repeat", "truncate"])):
            case "insert":
                data = data[:at] + draw(st.sampled_from(pieces)) + data[at:]
            case "replace":
                data = data[:at] + draw(st.sampled_from(pieces)) + data[until:]
            case "remove":
                data = data[:at] + data[until:]
            case "repeat":
                data = data[:until] + data[at:]
            case _:
                data = data[:at]
    return data


def cut(stream: bytes, at: list[int]) -> list[bytes]:
    places = sorted({0, len(stream), *(place % (len(stream) + 1) for place in at)})
    return [stream[a:b] for a, b in pairwise(places)]


def one_by_one(stream: bytes) -> list[bytes]:
    return [stream[i : i + 1] for i in range(len(stream))]
