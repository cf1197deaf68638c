"""Real processes: what the kernel says of them is what is measured."""

import os
import sys

import pytest

from bench.process import Command, NotReady, Process, cpu_ns, is_ready, pinned, pss_kb, tree

CORES = frozenset(os.sched_getaffinity(0))
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
SERVER = """
import http.server
http.server.HTTPServer(("127.0.0.1", {port}), http.server.BaseHTTPRequestHandler).serve_forever()
"""


def command(tmp_path, program):
    return Command([sys.executable, "-c", program], {}, tmp_path / "said", CORES)


async def test_what_a_process_starts_is_counted_with_it(tmp_path, unused_tcp_port):
    child = SERVER.format(port=unused_tcp_port)
    process = Process(command(tmp_path, PARENT.format(child=child)), unused_tcp_port)
    try:
        await process.until(is_ready, 20)
        pids = process.pids()
        assert len(pids) == 2
        assert process.cpu_ns() > cpu_ns(pids[:1]) > 0
        assert process.pss_kb() > pss_kb(pids[:1]) > 0
    finally:
        for pid in reversed(process.pids()):
            os.kill(pid, 15)
        await process.stop()
    assert not process.alive


async def test_a_process_that_ends_is_not_ready_and_its_last_words_are_told(tmp_path, unused_tcp_port):
    process = Process(command(tmp_path, "raise SystemExit('the port is taken')"), unused_tcp_port)
    with pytest.raises(NotReady, match="ended with 1: the port is taken"):
        await process.until(is_ready, 20)


def test_a_process_that_is_gone_counts_nothing():
    gone = 2**22 + 1  # above the largest pid there can be
    assert (tree(gone), cpu_ns([gone]), pss_kb([gone])) == ([gone], 0, 0)


def test_pinning_ends_with_its_block():
    with pinned(frozenset({min(CORES)})):
        assert os.sched_getaffinity(0) == {min(CORES)}
    assert os.sched_getaffinity(0) == CORES
