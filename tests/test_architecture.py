"""What no linter knows about the house: who may wait, how large things get, what they are called.

Each rule is a function from a source to what breaks it, and is tried on a source that does. Who may import whom is
in pyproject.toml, held by import-linter; here are the tests that it bites.
"""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# A noun remembers and never waits, so each of its methods is one atomic step on the loop.
NEVER_WAIT = ("core", "wire", "state")
# The ports say what others wait for; nothing runs here.
MAY_DECLARE_ASYNC = "core/ports.py"
# Beside the standard library: values that are made for every call are msgspec's (decision 007).
LIBRARIES: dict[str, set[str]] = {"core": {"msgspec"}, "state": set(), "flow": set()}
DRAWERS = re.compile(r"(util|helper|common|manager|service)s?\Z")
MAX_LINES = 300
MAX_FUNCTION = 40
MAX_PARAMETERS = 6
SCREEN = 60

Function = ast.FunctionDef | ast.AsyncFunctionDef
WAITING = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)


@dataclass(frozen=True)
class Source:
    """One file; `path` is relative to the package."""

    path: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def room(self) -> str:
        return self.path.partition("/")[0]

    def nodes(self) -> Iterator[ast.AST]:
        return ast.walk(self.tree)

    def functions(self) -> Iterator[Function]:
        return (node for node in self.nodes() if isinstance(node, Function))


def waits(source: Source) -> Iterator[str]:
    """`await`, `async for` and `async with`, and any `async def` but a port's."""
    if source.room not in NEVER_WAIT:
        return
    for node in source.nodes():
        if isinstance(node, ast.comprehension) and node.is_async:
            yield "an async comprehension"
        elif isinstance(node, WAITING) and not _is_declared_port(source, node):
            yield f"{type(node).__name__} in line {node.lineno}"


def _is_declared_port(source: Source, node: ast.AST) -> bool:
    """In the one file of ports, a function of a Protocol that is only a docstring or `...`."""
    if source.path != MAY_DECLARE_ASYNC or not isinstance(node, ast.AsyncFunctionDef):
        return False
    return len(node.body) == 1 and isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)


def is_too_long(source: Source) -> Iterator[str]:
    lines = len(source.text.splitlines())
    if lines > MAX_LINES:
        yield f"{lines} lines"


def has_long_functions(source: Source) -> Iterator[str]:
    for function in source.functions():
        lines = (function.end_lineno or 0) - function.lineno + 1
        if lines > MAX_FUNCTION:
            yield f"{function.name} has {lines} lines"


def has_many_parameters(source: Source) -> Iterator[str]:
    for function in source.functions():
        named = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        count = sum(parameter.arg not in ("self", "cls") for parameter in named)
        if count > MAX_PARAMETERS:
            yield f"{function.name} has {count} parameters"


def is_a_drawer(source: Source) -> Iterator[str]:
    for part in Path(source.path).with_suffix("").parts:
        if any(DRAWERS.match(word) for word in part.split("_")):
            yield f"{part}: what has no name has no home"


def imports_inside_functions(source: Source) -> Iterator[str]:
    for function in source.functions():
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield f"an import inside {function.name}, line {node.lineno}"


def has_no_docstring(source: Source) -> Iterator[str]:
    if ast.get_docstring(source.tree) is None:
        yield "the first line of a file says what it is for"


def needs_another_library(source: Source) -> Iterator[str]:
    if source.room not in LIBRARIES:
        return
    allowed = {*sys.stdlib_module_names, "gateway", *LIBRARIES[source.room]}
    for node in source.nodes():
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            if name.partition(".")[0] not in allowed:
                yield name


def exchange_is_longer_than_a_screen(source: Source) -> Iterator[str]:
    lines = len(source.text.splitlines())
    if source.path == "flow/exchange.py" and lines > SCREEN:
        yield f"{lines} lines"


Rule = Callable[[Source], Iterator[str]]
RULES: tuple[Rule, ...] = (
    waits,
    is_too_long,
    has_long_functions,
    has_many_parameters,
    is_a_drawer,
    imports_inside_functions,
    has_no_docstring,
    needs_another_library,
    exchange_is_longer_than_a_screen,
)


def sources() -> list[Source]:
    package = ROOT / "gateway"
    return [Source(path.relative_to(package).as_posix(), path.read_text()) for path in sorted(package.rglob("*.py"))]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_file_breaks_the_rule(rule: Rule) -> None:
    assert [f"gateway/{source.path}: {what}" for source in sources() for what in rule(source)] == []


_LONG_FUNCTION = "def f():\n" + "    x = 1\n" * 40


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        pytest.param(waits, "state/health.py", "async def f(): ...", id="async def in state"),
        pytest.param(waits, "wire/sse.py", "async def f():\n    await g()", id="await in wire"),
        pytest.param(waits, "core/call.py", "async def f():\n    async with g(): ...", id="async with in core"),
        pytest.param(waits, "core/call.py", "x = [y async for y in g()]", id="async comprehension"),
        pytest.param(waits, "core/ports.py", "async def f():\n    return 1", id="a port that runs"),
        pytest.param(waits, "core/errors.py", "async def f(): ...", id="a port outside ports"),
        pytest.param(is_too_long, "app.py", "x = 1\n" * 301, id="301 lines"),
        pytest.param(has_long_functions, "app.py", _LONG_FUNCTION, id="41 lines"),
        pytest.param(has_long_functions, "app.py", "async " + _LONG_FUNCTION, id="41 async lines"),
        pytest.param(has_many_parameters, "app.py", "def f(self, a, b, c, d, e, *, f, g): ...", id="7 parameters"),
        pytest.param(is_a_drawer, "edge/utils.py", "", id="utils"),
        pytest.param(is_a_drawer, "wire/json_helper.py", "", id="json_helper"),
        pytest.param(is_a_drawer, "common/__init__.py", "", id="a package called common"),
        pytest.param(imports_inside_functions, "app.py", "def f():\n    import json", id="import in a function"),
        pytest.param(imports_inside_functions, "app.py", "def f():\n    from a import b", id="from in a function"),
        pytest.param(has_no_docstring, "edge/__init__.py", "x = 1", id="no docstring"),
        pytest.param(needs_another_library, "flow/plan.py", "import msgspec.json", id="msgspec in flow"),
        pytest.param(needs_another_library, "core/call.py", "from attrs import x", id="attrs in core"),
        pytest.param(exchange_is_longer_than_a_screen, "flow/exchange.py", "x = 1\n" * 61, id="61 lines"),
    ],
)
def test_a_file_that_breaks_the_rule_is_caught(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Source(path, text)))


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        pytest.param(waits, "core/ports.py", 'class P:\n    async def f(self):\n        """Why."""', id="a port"),
        pytest.param(waits, "flow/pipe.py", "async def f():\n    await g()", id="await in flow"),
        pytest.param(has_many_parameters, "app.py", "def f(self, a, b, c, d, e, f): ...", id="6 parameters"),
        pytest.param(is_a_drawer, "edge/commonmark.py", "", id="commonmark"),
        pytest.param(needs_another_library, "edge/ops.py", "import aiohttp", id="aiohttp in edge"),
    ],
)
def test_what_the_rule_allows_passes(rule: Rule, path: str, text: str) -> None:
    assert not list(rule(Source(path, text)))


def told_stages(docstring: str) -> set[str]:
    """The first words of the map's lines."""
    return {match[1] for line in docstring.splitlines() if (match := re.match(r"(\w+)  +\S", line))}


def test_the_map_of_the_way_names_exactly_the_files_of_its_folder() -> None:
    folder = ROOT / "gateway/flow"
    docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    assert told_stages(docstring) == {path.stem for path in folder.glob("*.py")} - {"__init__"}


def test_the_map_is_read_line_by_line() -> None:
    assert told_stages("The way of a call.\n\nplan   model -> Plan\nadmit  limits") == {"plan", "admit"}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the package to break."""
    shutil.copytree(ROOT / "gateway", tmp_path / "gateway", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "line", "contract"),
    [
        pytest.param("core/call.py", "import gateway.edge.server", "The rooms", id="core imports edge"),
        pytest.param("state/health.py", "import gateway.store", "The rooms", id="siblings"),
        pytest.param("cache/__init__.py", "", "The rooms", id="a room that was not placed"),
        pytest.param("flow/pipe.py", "import gateway.upstream.pool", "The way meets", id="a stage imports an adapter"),
        pytest.param("config/load.py", "import gateway.wire.headers", "Memory and conf", id="config imports wire"),
        pytest.param("edge/ops.py", "import gateway.state.live", "Memory is", id="the surface imports state"),
        pytest.param("flow/plan.py", "import gateway.flow.pipe", "The stages", id="a stage imports a stage"),
        pytest.param("app.py", "import gateway.simulator", "Only the demo", id="production imports the simulator"),
        pytest.param("edge/ops.py", "import gateway.keys", "Only the command line", id="the surface makes keys"),
        pytest.param("upstream/pool.py", "import aiohttp", "aiohttp", id="aiohttp outside edge"),
        pytest.param("edge/server.py", "import httptools", "llhttp", id="llhttp outside upstream"),
        pytest.param("app.py", "import yaml", "YAML", id="yaml outside config"),
        pytest.param("edge/ops.py", "import prometheus_client", "Metrics", id="metrics beside the Record"),
        pytest.param("upstream/probe.py", "import structlog", "The way does not log", id="logs off the surface"),
        pytest.param("edge/server.py", "import uvloop", "The event loop", id="uvloop outside the worker"),
        pytest.param("app.py", "import redis", "Redis", id="redis outside store"),
    ],
)
def test_an_import_that_breaks_a_contract_is_caught(house: Path, path: str, line: str, contract: str) -> None:
    file = house / "gateway" / path
    file.parent.mkdir(exist_ok=True)
    with file.open("a") as text:
        text.write(f"\n{line}\n")
    found = lint_imports(house)
    assert found.returncode == 1, found.stdout + found.stderr
    assert re.search(rf"^{contract}.* BROKEN$", found.stdout, re.MULTILINE), found.stdout


def test_every_contract_is_broken_by_a_test_above() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    marks = test_an_import_that_breaks_a_contract_is_caught.pytestmark  # type: ignore[attr-defined]
    broken = {case.values[2] for case in marks[0].args[1]}
    assert [c["name"] for c in contracts if not any(c["name"].startswith(name) for name in broken)] == []


def test_the_copy_that_is_broken_above_keeps_every_contract(house: Path) -> None:
    found = lint_imports(house)
    assert found.returncode == 0, found.stdout + found.stderr
    assert " 0 broken" in found.stdout
