"""The command line as people type it: what it says, and its exit codes."""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.__main__ import main
from tests.conftest import KEY

ROOT = Path(__file__).parents[2]
COMMANDS = ("serve", "check", "schema", "explain", "keys", "healthcheck", "demo")

CONFIG = f"""\
upstreams:
  east: {{base_url: "http://127.0.0.1:1/v1"}}
  west: {{base_url: "http://127.0.0.1:2/v1"}}
  absent: {{base_url: "http://127.0.0.1:3/v1", api_key: "${{NOT_SET}}"}}
models:
  small: {{upstream: east, first_byte_timeout: 5s}}
  large: {{upstream: west, name: large-2, max_retries: 1}}
  gone: {{upstream: absent}}
  embed: {{upstream: east, kind: embeddings}}
  lone: {{upstream: east, fallbacks: [large]}}
tiers:
  fast: [small, large, gone]
  premium: [large, embed]
  nobody: [gone]
complexity: {{simple: fast, medium: fast, complex: premium}}
aliases: {{gpt: fast}}
keys:
  - {{name: all, key: {KEY}}}
  - {{name: little, sha256: "{"0" * 64}", models: [small]}}
"""


def gateway(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command with nothing else in its environment."""
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "routes.yaml"
    file.write_text(CONFIG)
    return str(file)


# help


def test_help_names_every_command_and_exit_code() -> None:
    told = gateway("--help")
    assert told.returncode == 0
    assert all(re.search(rf"^    {command}\b", told.stdout, re.MULTILINE) for command in COMMANDS)
    assert all(re.search(rf"^  {code}  ", told.stdout, re.MULTILINE) for code in (0, 1, 2))


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="no command"),
        pytest.param(["explain"], id="no model"),
        pytest.param(["keys", "new"], id="no name"),
        pytest.param(["healthcheck", "--listen", "nowhere"], id="no port"),
        pytest.param(["demo", "--listen", "127.0.0.1:99999"], id="no such port"),
    ],
)
def test_a_command_line_that_is_not_understood_exits_with_2(arguments: list[str]) -> None:
    told = gateway(*arguments)
    assert (told.returncode, told.stdout) == (2, "")
    assert "gateway" in told.stderr
    assert "Traceback" not in told.stderr


# check and schema


def test_check_counts_what_is_there_and_warns_of_what_is_not(config: str) -> None:
    told = gateway("check", config)
    assert (told.returncode, told.stderr) == (0, "")
    *warnings, last = told.stdout.splitlines()
    assert last == f"{config}: 5 models in 3 tiers for 2 keys"
    assert len(warnings) == 2
    assert f"{config}:4:3 upstreams.absent: is left out" in warnings[0]
    assert "tiers.nobody: is empty" in warnings[1]


def test_check_prints_all_faults_at_once(config: str) -> None:
    Path(config).write_text(CONFIG.replace("5s", "5").replace("upstream: west", "upstream: wset") + "extra: 1\n")
    told = gateway("check", config)
    assert (told.returncode, told.stdout) == (1, "")
    *faults, last = told.stderr.splitlines()
    assert [re.match(rf"{re.escape(config)}:(\d+):\d+ (\S+): .", fault).groups() for fault in faults] == [
        ("6", "models.small.first_byte_timeout"),
        ("7", "models.large.upstream"),
        ("20", "extra"),
    ]
    assert "did you mean 'west'?" in faults[1]
    assert last.startswith("3 fault(s)")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="no file"),
        pytest.param(b"", id="empty"),
        pytest.param(b"upstreams: [", id="no YAML"),
        pytest.param(b"\xff\xfe", id="no UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_fault_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    file = tmp_path / "routes.yaml"
    if content is not None:
        file.write_bytes(content)
    for command in (["check"], ["serve", "--config"], ["explain", "--model", "fast", "--config"]):
        assert main([*command, str(file)]) == 1
        told = capsys.readouterr()
        fault, last = told.err.splitlines()
        assert fault.startswith(str(file))
        assert last.startswith("1 fault(s)")
        assert told.out == ""


def test_serve_does_not_start_on_a_faulty_file(config: str) -> None:
    Path(config).write_text(CONFIG.replace("5s", "5"))
    told = gateway("serve", "--config", config)
    assert (told.returncode, told.stdout) == (1, "")
    assert "models.small.first_byte_timeout" in told.stderr
    assert told.stderr.endswith("nothing was started\n")


def test_the_shipped_file_is_good_once_it_has_a_key() -> None:
    assert gateway("check").returncode == 1
    assert gateway("check", GATEWAY_API_KEY=KEY).returncode == 0


def test_schema_prints_the_file_that_ships() -> None:
    told = gateway("schema")
    assert told.returncode == 0
    assert json.loads(told.stdout) == json.loads((ROOT / "config" / "routes.schema.json").read_text())


# explain


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(["fast"], 0, ["tier fast", "1. small@east", "2. large@west as 'large-2'"], id="a tier"),
        pytest.param(["fast"], 0, ["gone@absent: left out: its upstream is left out"], id="a target left out"),
        pytest.param(["fast"], 0, ["first byte within 5s", "retried 1 times"], id="its timeouts"),
        pytest.param(["gpt"], 0, ["tier fast", "1. small@east"], id="an alias"),
        pytest.param(["lone"], 0, ["1. lone@east", "2. large@west"], id="a model and its fallbacks"),
        pytest.param(["auto"], 0, ["complexity medium", "tier fast"], id="auto"),
        pytest.param(
            ["auto", "--complexity", "complex"],
            0,
            ["tier premium", "1. large@west", "embed@east: left out: does not serve this endpoint"],
            id="auto for something complex",
        ),
        pytest.param(["fast", "--provider", "west"], 0, ["1. large@west", "2. small@east"], id="a provider"),
        pytest.param(["premium", "--endpoint", "embeddings"], 0, ["1. embed@east"], id="embeddings"),
        pytest.param(["fast", "--key", "little"], 0, ["1. small@east", "large@west: left out: the key"], id="a key"),
        pytest.param(["large", "--key", "little"], 1, ["refused: 403 model_not_allowed"], id="not for this key"),
        pytest.param(["nothing"], 1, ["refused: 404 model_not_found"], id="an unknown model"),
        pytest.param(["embed"], 1, ["refused: 404 model_not_found"], id="another endpoint"),
        pytest.param(["nobody"], 1, ["refused: 503 no_available_upstream"], id="an empty tier"),
        pytest.param(["fast", "--complexity", "odd"], 1, ["refused: 400 invalid_value"], id="an unknown complexity"),
        pytest.param(["fast", "--provider", "odd"], 1, ["refused: 400 invalid_value"], id="an unknown provider"),
    ],
)
def test_explain_tells_the_decision(
    config: str, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: list[str]
) -> None:
    assert main(["explain", "--config", config, "--model", *arguments]) == code
    told = capsys.readouterr()
    assert told.err == ""
    for words in said:
        assert words in told.out


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param("requests_per_minute: 60", "60 requests/min", id="requests"),
        pytest.param("tokens_per_minute: 9, token_burst: 99", "9 tokens/min (burst 99)", id="burst"),
        pytest.param("budget: {usd: 0.25, period: day}", "$0.25 a day", id="cents"),
        pytest.param(
            "requests_per_minute: 60, tokens_per_minute: 200000, concurrent_streams: 20, "
            "budget: {usd: 500, period: month}",
            "60 requests/min, 200000 tokens/min, 20 streams, $500 a month",
            id="all",
        ),
    ],
)
def test_explain_tells_the_limits_of_a_key(
    config: str, capsys: pytest.CaptureFixture[str], fields: str, told: str
) -> None:
    text = CONFIG.replace("models: [small]", "models: [small], limits: pro").replace("5s}", "5s, price: {input: 1}}")
    Path(config).write_text(f"{text}limits: {{pro: {{{fields}}}}}\n")
    for key, limits in (("little", [f"  limits pro: {told}"]), ("all", [])):
        assert main(["explain", "--config", config, "--model", "small", "--key", key]) == 0
        assert [line for line in capsys.readouterr().out.splitlines() if "limits" in line] == limits


def test_explain_as_a_command(config: str) -> None:
    told = gateway("explain", "--model", "gpt", "--endpoint", "chat", GATEWAY_CONFIG=config)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("model 'gpt' asked for by anybody on chat\n  tier fast\n  1. small@east: ")


def test_explain_for_a_key_that_is_not_there(config: str) -> None:
    told = gateway("explain", "--model", "fast", "--key", "nobody", GATEWAY_CONFIG=config)
    assert (told.returncode, told.stdout, told.stderr) == (2, "", "gateway: no usable key is named 'nobody'\n")


# keys


def test_a_new_key_is_random_and_its_line_holds_only_its_hash() -> None:
    told = [gateway("keys", "new", "--name", "app", "--limits", "pro").stdout for _ in range(2)]
    keys = [text.splitlines()[0] for text in told]
    assert keys[0] != keys[1]
    assert all(re.fullmatch(r"sk-gw-[A-Za-z0-9_-]{43}", key) for key in keys)
    assert told[0].count(keys[0]) == 1
    assert re.search(r"^  - \{name: \"app\", sha256: \"[0-9a-f]{64}\", limits: \"pro\"\}$", told[0], re.MULTILINE)


@pytest.mark.parametrize("name", ["123", "true", "a: b"])
def test_a_name_that_needs_quotes_is_quoted_or_refused(
    config: str, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    try:
        code = main(["keys", "new", "--name", name])
    except SystemExit:
        return
    if code == 0:
        Path(config).write_text(f"{CONFIG}{capsys.readouterr().out.splitlines()[-1]}\n")
        assert main(["check", config]) == 0


# serve and healthcheck, where nothing is or something else


def test_a_port_in_use_is_said_in_one_line(config: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        told = gateway("serve", "--config", config, "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert told.returncode == 1
    assert re.fullmatch(r"gateway: cannot serve: .*in use\n", told.stderr, re.IGNORECASE)


def test_healthcheck_where_nothing_listens() -> None:
    told = gateway("healthcheck", "--listen", "127.0.0.1:1")
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("gateway: no answer from 127.0.0.1:1: ")


@pytest.mark.parametrize(
    ("field", "told"),
    [("disabled: true", "refused: 403 key_disabled"), ("expires: 2020-01-01", "refused: 401 invalid_api_key")],
)
def test_explain_says_that_a_key_is_no_longer_good(
    config: str, capsys: pytest.CaptureFixture[str], field: str, told: str
) -> None:
    Path(config).write_text(CONFIG + f'  - {{name: old, sha256: "{"1" * 64}", {field}}}\n')
    assert main(["explain", "--config", config, "--model", "fast", "--key", "old"]) == 1
    assert told in capsys.readouterr().out


def test_an_output_that_is_full_is_said_in_one_line(config: str) -> None:
    with Path("/dev/full").open("w") as full:
        told = subprocess.run(
            [sys.executable, "-u", "-m", "gateway", "check", config],
            cwd=ROOT,
            env={},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=20,
            check=False,
        )
    assert (told.returncode, told.stderr) == (1, "gateway: No space left on device\n")
