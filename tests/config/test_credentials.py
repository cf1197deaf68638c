import os
from pathlib import Path

import pytest

from gateway.config.credentials import read_secret
from gateway.config.load import parse
from tests.config.files import KEY, MODELS, faults_of, written


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        pytest.param(b"s3cret", "s3cret", id="plain"),
        pytest.param(b"s3cret\n", "s3cret", id="line end"),
        pytest.param(b"s3cret\r\n", "s3cret", id="windows line end"),
        pytest.param(b"s3cret \n\n", "s3cret \n", id="only the last line end"),
    ],
)
def test_a_secret_is_its_file_without_the_last_line_end(tmp_path: Path, content: bytes, secret: str) -> None:
    (tmp_path / "s").write_bytes(content)
    assert read_secret(f"{tmp_path}/s") == secret


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"\n", "names an empty file", id="empty"),
        pytest.param(b"\xff", "names a file that is not UTF-8", id="not UTF-8"),
        pytest.param(b"x" * 65_537, "names a file larger than 65536 bytes", id="too large"),
    ],
)
def test_a_file_that_cannot_be_a_secret_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "s").write_bytes(content)
    with pytest.raises(ValueError, match=f"^{problem}$"):
        read_secret(f"{tmp_path}/s")


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="not a regular file"):
        read_secret(f"{tmp_path}/pipe")


def test_secrets_are_read_where_they_may_be(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "token").write_text("t0ken\n")
    token = f"file:{tmp_path}/token"
    (tmp_path / "redis").write_text("redis://:pw@h/1\n")
    text = written(
        upstreams=f"{{u: {{base_url: http://u, api_key: '{token}', headers: {{x: '${{F}}'}}}}}}",
        keys=f"[{{name: k, key: 'file:{tmp_path}/key'}}]",
        more=f"store: {{url: 'file:{tmp_path}/redis'}}",
    )
    config = parse(text.encode(), "f", {"F": token})
    assert config.store.url == "redis://:pw@h/1"
    assert config.routes.upstreams["u"].api_key == "t0ken"
    assert config.routes.upstreams["u"].headers == (("x", "t0ken"),)
    plain = parse(written(models=MODELS).encode(), "f", {})
    assert config.callers.keys() == plain.callers.keys()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param(
            written(keys="[{name: k, key: 'file:/nonexistent/key'}]"),
            "f:3:23 keys[0].key: names a file that cannot be read: No such file or directory",
            id="missing",
        ),
        pytest.param(
            written(keys="[{name: k, key: 'file:keys/of/the/gateway'}]"),
            "f:3:23 keys[0].key: must be file: and an absolute path",
            id="relative",
        ),
        pytest.param(
            written(upstreams="{u: {base_url: http://u, headers: {x: file:/dev/null}}}"),
            "f:1:50 upstreams.u.headers.x: names something that is not a regular file",
            id="device",
        ),
    ],
)
def test_a_secret_that_cannot_be_read_is_the_only_fault(text: str, fault: str) -> None:
    assert faults_of(text) == [fault]


def test_no_secret_is_ever_shown(tmp_path: Path) -> None:
    secret = "Zz9" * 12
    (tmp_path / "s").write_text(f"{secret} {secret}")
    entries = [
        written(upstreams=f"{{u: {{base_url: 'https://{secret}@x', api_key: '{secret} '}}}}", keys=f"[{secret}]"),
        written(upstreams=f"{{u: {{base_url: http://u, api_kye: {secret}, dialect: {secret}, {secret}: 1}}}}"),
        written(keys=f"[{{name: k, key:{secret}}}, {{name: '{secret} ', sha256: {secret}, expires: {secret}}}]"),
        written(keys=f"[{{name: a, key: '{secret} '}}, {{name: b, key: '{secret} '}}, {{{secret}: x, {secret}: y}}]"),
        written(keys=f"[{{name: a, key: '${{{secret[:5]}-{secret}}}'}}, {{name: a, key: 'file:{tmp_path}/s'}}]"),
        written(more=f"{secret}: x\nserver: {{listen: {secret}, cors_origins: [{secret}]}}\naliases: {{a: {secret}}}"),
        written(more=f"tiers: !{secret} {{t: *{secret}}}"),
        written(more=f"tiers: {{t: [{secret}\n"),
    ]
    for entry in entries:
        faults = faults_of(entry)
        assert faults
        assert secret not in "\n".join(faults)
    config = parse(
        written(upstreams=f"{{u: {{base_url: http://u, api_key: {secret}, headers: {{x: {secret}}}}}}}").encode(),
        "f",
        {},
    )
    assert secret not in repr(config)
    assert KEY not in repr(config)
