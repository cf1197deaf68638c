import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.resp import LONGEST, ErrorReply, Replies, Reply, pack

WORDS = st.binary(max_size=40).filter(lambda word: b"\r\n" not in word and not word.endswith(b"\r"))
PLAIN = WORDS.filter(lambda word: b"\r" not in word and b"\n" not in word)
SCALARS = st.one_of(
    PLAIN.map(lambda word: (word, b"+%b\r\n" % word)),
    WORDS.map(lambda word: (word, b"$%d\r\n%b\r\n" % (len(word), word))),
    st.integers(-(2**63), 2**63 - 1).map(lambda number: (number, b":%d\r\n" % number)),
)
SENT = st.one_of(
    SCALARS,
    PLAIN.map(lambda word: (ErrorReply(word), b"-%b\r\n" % word)),
    st.lists(SCALARS, max_size=4).map(
        lambda items: ([value for value, _ in items], b"*%d\r\n%b" % (len(items), b"".join(sent for _, sent in items)))
    ),
)


@given(st.lists(SENT, max_size=8), st.data())
def test_any_cutting_gives_the_same_replies(sent: list[tuple[Reply, bytes]], data: st.DataObject) -> None:
    stream = b"".join(each for _, each in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    replies = Replies()
    found = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += replies.feed(stream[begin:end])
    assert (found, replies.broken) == ([reply for reply, _ in sent], False)


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n", id="another protocol"),
        pytest.param(b"\r\n", id="an empty line"),
        pytest.param(b":x\r\n", id="no number"),
        pytest.param(b"$x\r\n", id="no length"),
        pytest.param(b"$-1\r\n", id="nothing"),
        pytest.param(b"$3\r\nabcd\r\n", id="longer than it says"),
        pytest.param(b"$3\r\na\r\n", id="shorter than it says"),
        pytest.param(b"$%d\r\n" % (LONGEST + 1), id="a length out of bounds"),
        pytest.param(b"*x\r\n", id="no count"),
        pytest.param(b"*-1\r\n", id="no list"),
        pytest.param(b"*1\r\n*0\r\n", id="a list in a list"),
        pytest.param(b"*1\r\n-ERR x\r\n", id="an error in a list"),
        pytest.param(b"+" + b"1" * (LONGEST + 1), id="a line without end"),
        pytest.param(b"*9999999\r\n" + b":1\r\n" * LONGEST, id="a list without end"),
    ],
)
def test_what_can_not_be_read_comes_after_what_can(garbage: bytes) -> None:
    replies = Replies()
    assert replies.feed(b"+1\r\n" + garbage) == [b"1"]
    assert replies.broken


def test_a_command_says_how_long_each_field_is() -> None:
    assert pack([b"SET", b"", b"a\r\nb"]) == b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\na\r\nb\r\n"
