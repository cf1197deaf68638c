import time
from pathlib import Path as FilePath

import pytest

from gateway.config.document import MAX_BYTES, compose
from gateway.config.faults import Path
from gateway.config.scalars import scalar
from tests.catalogue import fault
from tests.config.files import faults_of, written


def bomb() -> str:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefghi", "bcdefghij", strict=True)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("", "f:1:1: is empty", id="empty"),
        pytest.param("# only a comment\n", "f:1:1: is empty", id="comment only"),
        pytest.param("null", "f:1:1: must be a mapping with upstreams, models and keys", id="null"),
        pytest.param("[]", "f:1:1: must be a mapping with upstreams, models and keys", id="list"),
        pytest.param("text", "f:1:1: must be a mapping with upstreams, models and keys", id="text"),
        pytest.param(
            "a: 1\n---\nb: 2\n", "f:2:1: has a second document: only one is allowed in a file", id="documents"
        ),
        pytest.param("a: *x", "f:1:4 a: the alias has no anchor before it", id="unknown alias"),
        pytest.param("a: &x [*x]", "f:1:8 a[0]: the alias contains itself", id="alias in itself"),
        pytest.param(bomb(), "f:5:8: aliases repeat more than 10000 values", id="alias bomb"),
        pytest.param("[" * 50_000, "f:1:33: is nested more than 32 levels deep", id="deep lists"),
        pytest.param("{a: " * 50_000, "f:1:129: is nested more than 32 levels deep", id="deep mappings"),
        pytest.param("- " * 50_000, "f:1:65: is nested more than 32 levels deep", id="deep block"),
        pytest.param(
            f"a: &x {'[' * 20}{']' * 20}\nb: {'[' * 20}*x{']' * 20}",
            "f:2:24: is nested more than 32 levels deep",
            id="deep by an alias",
        ),
        pytest.param(b"a: 1\nb: caf\xe9\n", "f:2:7: is not valid UTF-8", id="not UTF-8"),
        pytest.param(b"\xff\xfea\x00", "f:1:1: is not valid UTF-8", id="UTF-16"),
        pytest.param(
            "a: x\x00y", "f:1:5: is not valid YAML: control characters are not allowed", id="control character"
        ),
        pytest.param(b"#" * (MAX_BYTES + 1), "f: is larger than 33554432 bytes", id="more than 32 MiB"),
    ],
)
@fault("K03", "K08")
def test_a_file_that_cannot_be_read_has_one_fault(text: str | bytes, fault: str) -> None:
    assert faults_of(text) == [fault]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param("a: [1,\n", "f:2:1: ", id="unclosed list"),
        pytest.param("a: 'x\n", "f:2:1: ", id="unclosed quote"),
        pytest.param("\tb: 1", "f:1:1: ", id="tab"),
        pytest.param("a: b: c", "f:1:5: ", id="two values"),
    ],
)
def test_broken_yaml_is_reported_where_it_breaks(text: str, place: str) -> None:
    (fault,) = faults_of(text)
    assert fault.startswith(f"{place}is not valid YAML: ")


def test_a_bare_variable_between_braces_gets_a_hint() -> None:
    (fault,) = faults_of(written(upstreams="{u: {base_url: http://a, api_key: ${KEY}}}"))
    assert fault.endswith("(between braces, ${VAR} needs quotes around it)")


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        pytest.param("x: 1\nx: 2", "f:5:1 x: is a duplicate: it is already on line 4", id="duplicate key"),
        pytest.param("<<: {tiers: {}}", "f:4:1: merge keys (<<) are not supported", id="merge key"),
        pytest.param("? [a]\n: 1", "f:4:3: a key must be plain text", id="key that is no text"),
        pytest.param(
            "tiers: !!python/object/apply:os.system [id]", "f:4:8 tiers: tags are not allowed", id="python tag"
        ),
        pytest.param(
            "tiers: {t: [!secret m]}",
            "f:4:13 tiers.t[0]: tags are not allowed (quote a value that begins with '!')",
            id="local tag",
        ),
        pytest.param(
            "tiers: {t: [!!int m]}",
            "f:4:13 tiers.t[0]: tags are not allowed (quote a value that begins with '!')",
            id="tag that does not fit",
        ),
    ],
)
@fault("K09", "K10")
def test_what_yaml_allows_and_this_file_does_not_is_a_fault_among_others(more: str, fault: str) -> None:
    assert fault in faults_of(written(more=more))


@fault("K09")
def test_a_python_tag_runs_nothing(tmp_path: FilePath) -> None:
    assert faults_of(written(more=f"tiers: !!python/object/apply:os.mkdir [{tmp_path}/made]"))
    assert not (tmp_path / "made").exists()


@fault("K08")
def test_an_alias_bomb_costs_no_more_than_its_text() -> None:
    started = time.process_time()
    faults_of(bomb())
    assert time.process_time() - started < 0.1


def test_a_byte_order_mark_is_skipped() -> None:
    assert faults_of(b"\xef\xbb\xbf" + written().encode()) == []


def test_aliases_stand_for_what_they_repeat() -> None:
    assert faults_of(written(models="{m: &m {upstream: u, timeout: 5s}, n: *m}", more="tiers: {t: [m, n]}")) == []


def test_a_fault_in_what_an_alias_repeats_is_placed_in_the_text() -> None:
    assert faults_of(written(models="{m: &m {upstream: u, timeout: 5}, n: *m}")) == [
        "f:2:39 models.m.timeout: must be a duration with its unit, such as 500ms, 15s, 2m or 1h",
        "f:2:39 models.n.timeout: must be a duration with its unit, such as 500ms, 15s, 2m or 1h",
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("yes", "yes", id="yes is text"),
        pytest.param("on", "on", id="on is text"),
        pytest.param("true", True, id="true"),
        pytest.param("~", None, id="null"),
        pytest.param("", None, id="nothing"),
        pytest.param("010", 10, id="leading zero is decimal"),
        pytest.param("0x1F", 31, id="hexadecimal"),
        pytest.param("0o17", 15, id="octal"),
        pytest.param("1:30", "1:30", id="no base 60"),
        pytest.param("1_000", "1_000", id="no underscores"),
        pytest.param("-.5e1", -5.0, id="real"),
        pytest.param("-.inf", float("-inf"), id="infinite"),
        pytest.param("2027-01-31", "2027-01-31", id="date is text"),
        pytest.param("9" * 5000, "9" * 5000, id="endless number is text"),
    ],
)
def test_plain_scalars_follow_the_core_schema(text: str, value: object) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        pytest.param((), (1, 1), (2, 1), id="root"),
        pytest.param(("a",), (2, 1), (2, 4), id="list with an anchor"),
        pytest.param(("a", 1), (4, 5), (4, 5), id="item"),
        pytest.param(("a", 1, "y"), (4, 5), (4, 8), id="value"),
        pytest.param(("é", "y"), (5, 8), (5, 11), id="after characters of two bytes"),
        pytest.param(("b", 1, "y"), (4, 5), (4, 8), id="value that an alias repeats"),
        pytest.param(("a", 1, "z"), (4, 5), (4, 5), id="missing"),
        pytest.param(("a", 2), (2, 1), (2, 1), id="after the last item"),
        pytest.param(("end",), (8, 1), (8, 6), id="after other line ends"),
    ],
)
def test_places_are_those_of_the_text(path: Path, key: tuple[int, int], value: tuple[int, int]) -> None:
    text = "# first\na: &a\n  - x\n  - y: 1\né: {z, y: 2}\r\nb: *a\r# c\x85end: 1"
    document = compose(text.encode(), "f")
    assert document.places.find(document.data, path, at_key=True) == key
    assert document.places.find(document.data, path, at_key=False) == value
