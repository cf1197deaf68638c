"""A season with the upstream itself, a bare proxy in a process of its own, and contestants that fail."""

import asyncio
import os
import sys
from dataclasses import dataclass

import pytest

from bench.contestants import Bare, Direct, Place
from bench.process import Command, Process
from bench.report import table
from bench.results import Results, cpu_per_call, median
from bench.scenarios import Case, Plain, Scenario, Start
from bench.season import Season
from bench.upstream import Script
from bench.wheel import Wheel
from gateway.simulator import Simulator
from tests.bench.test_results import MACHINE

LOAD = Plain(2, seconds=0)
CORE = min(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Program:
    """A contestant that runs `text`; `port` stands for its port."""

    text: str
    port: int
    name: str = "program"

    def start(self, place: Place) -> Process:
        words = [sys.executable, "-c", f"port = {self.port}\n{self.text}"]
        return Process(Command(words, {}, place.folder / "said", frozenset({place.core})), self.port)


@pytest.fixture
def results():
    return Results(machine=MACHINE, quick=True)


@pytest.fixture
async def season(tmp_path, results):
    script = Script(Wheel(asyncio.get_running_loop()))
    async with Simulator(script, remember=False) as upstream:
        season = Season(Place(tmp_path, upstream.port, {}, CORE, CORE), script, results, lambda _: None)
        yield season
        await season.aclose()


async def test_rounds_are_measured_in_turn_and_cpu_is_the_contestants_own(season, results):
    await season.run(Scenario("plain", (Case(Direct(), LOAD), Case(Bare(), LOAD)), rounds=2))
    direct, bare = (results.find("plain", name) for name in ("direct", "bare"))
    assert [len(one.rounds) for one in (direct, bare)] == [2, 2]
    assert median(direct, cpu_per_call) is None
    assert median(bare, cpu_per_call) > 0
    assert results.failures == []


async def test_a_contestant_that_cannot_be_started_is_a_failure(season, results, unused_tcp_port):
    program = Program("raise SystemExit('no such option')", unused_tcp_port)
    await season.run(Scenario("plain", (Case(program, LOAD), Case(Direct(), LOAD)), rounds=1))
    assert results.failures == ["plain: program: ended with 1: no such option"]
    assert results.contestants("plain") == ["direct"]
    assert "no such option" in table(results)


async def test_of_a_demanding_scenario_it_is_left_out_and_that_is_said(season, results, unused_tcp_port):
    program = Program("raise SystemExit('too many keys')", unused_tcp_port)
    await season.run(Scenario("keys", (Case(program, LOAD, at=100_000),), rounds=1, demanding=True))
    assert (results.failures, results.left_out) == ([], ["keys at 100,000: ended with 1: too many keys"])


_DIES = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self): self.send_error(404)
    def do_POST(self): print("out of luck", flush=True); os._exit(3)
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


async def test_a_contestant_that_dies_is_a_failure(season, results, unused_tcp_port):
    await season.run(Scenario("plain", (Case(Program(_DIES, unused_tcp_port), LOAD),), rounds=1))
    assert any("connection lost" in failure for failure in results.failures)


async def test_a_start_is_timed(season, results):
    await season.run(Scenario("start", (Case(Bare(), Start()),), rounds=1, fresh=True))
    [measured] = results.find("start", "bare").rounds
    assert measured.ready_s > 0
