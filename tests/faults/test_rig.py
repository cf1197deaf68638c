"""The rig turns red for everything that it is there for."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.simulator import Silence, event, sse_answer
from gateway.store.memory import MemoryStore, _Held
from tests.conftest import KEY
from tests.faults.rig import HEADER, PROMPT, PROVIDER_KEY, Rig, ask
from tests.faults.watch import LoopWatch, nothing_left_behind

OPEN = sse_answer([event({"choices": [{"index": 0, "delta": {"content": "a"}}]})])[:2]


class TestWhatIsLeftBehind:
    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tests.faults.watch.SETTLED_WITHIN", 0.05)

    async def test_a_descriptor(self) -> None:
        with socket.socket() as leaked:
            with pytest.raises(AssertionError, match="descriptors are left"):
                async with nothing_left_behind():
                    other = leaked.dup()
            other.close()

    async def test_a_task(self) -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(AssertionError, match="tasks are left"):
            async with nothing_left_behind():
                task = loop.create_task(asyncio.Event().wait(), name="leaked")
        task.cancel()

    async def test_what_a_callback_raised(self) -> None:
        with pytest.raises(AssertionError, match="the loop was told"):
            async with nothing_left_behind():
                asyncio.get_running_loop().call_soon(lambda: 1 / 0)

    async def test_an_exception_that_nobody_took(self) -> None:
        with pytest.raises(AssertionError, match="the loop was told"):
            async with nothing_left_behind():
                _fail_unseen()

    async def test_nothing(self) -> None:
        async with nothing_left_behind():
            with socket.socket():
                await asyncio.sleep(0)


def _fail_unseen() -> None:
    """Nobody will ask for it, and only the garbage collector finds it."""
    error = ValueError("unseen")
    future = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    error.__context__ = OSError(future)
    error.__context__.__context__ = error


def _wait() -> None:
    time.sleep(1.2)  # noqa: TID251 - what must not happen


def _work() -> None:
    began = time.thread_time()
    while time.thread_time() < began + 0.3:
        pass


class TestTheLoop:
    @pytest.mark.parametrize("hold_up", [_wait, _work])
    async def test_that_stands_still_is_seen(self, hold_up: Callable[[], None]) -> None:
        watch = LoopWatch()
        await asyncio.sleep(0)
        hold_up()
        await asyncio.sleep(0)
        watch.stop()
        with pytest.raises(AssertionError, match="did not turn"):
            watch.check()

    async def test_is_the_tests_own_affair_where_it_says_so(self) -> None:
        watch = LoopWatch()
        with watch.excused():
            _work()
        watch.stop()
        watch.check()


class TestAfterATest:
    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tests.faults.rig.PATIENCE", 0.05)

    @pytest.fixture
    async def under_way(self, rig: Rig) -> AsyncIterator[Rig]:
        """With a stream that does not end until the test has ended."""
        await rig.start()
        rig.first.script = lambda request: [*OPEN, Silence()]
        client = rig.client()
        await client.send(ask("first/a"))
        await client.until(b'"a"')
        yield rig
        client.leave(reset=True)
        await rig.gateway.last_call()

    async def test_nothing_may_be_under_way(self, under_way: Rig) -> None:
        with pytest.raises(AssertionError, match="calls are under way"):
            await under_way.check_quiet()

    async def test_nobody_may_hold_a_lease(self, rig: Rig) -> None:
        await rig.start()
        await rig.ask("first/a")
        store = rig.gateway.app.store
        assert isinstance(store, MemoryStore)
        account = next(iter(store._accounts.values()))
        account.running["x"] = _Held(None, 0, 0, None)
        with pytest.raises(AssertionError, match="leases are held"):
            await rig.check_quiet()
        account.running.clear()

    async def test_no_connection_may_be_busy(self, rig: Rig) -> None:
        await rig.start()
        connection = await rig.gateway.app.sender.pools["first"].take()
        with pytest.raises(AssertionError, match="busy connections"):
            await rig.check_quiet()
        connection.close()

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            pytest.param(b"HTTP/1.1 418 x\r\ncontent-length: 0\r\n\r\n", "418 is not documented", id="a status"),
            pytest.param(b"HTTP/1.1 500 x\r\ncontent-length: 0\r\n\r\n", "500 is not documented", id="our bug"),
            pytest.param(b"HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n", "503 says not when", id="a 503"),
            pytest.param(
                b"HTTP/1.1 200 x\r\ncontent-length: 1\r\n\r\n1HTTP/1.1 429 x\r\nretry-after: 1\r\n\r\n",
                "429 says not when",
                id="a second answer",
            ),
        ],
    )
    async def test_every_status_is_documented(self, rig: Rig, answer: bytes, said: str) -> None:
        await rig.start()
        rig.client().seen += answer
        with pytest.raises(AssertionError, match=said):
            rig.check_statuses()
        rig.clients.clear()

    async def test_a_budget_that_is_spent_says_not_when(self, rig: Rig) -> None:
        await rig.start()
        body = b'{"error": {"code": "insufficient_quota", "message": ""}}'
        rig.client().seen += b"HTTP/1.1 429 x\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)

    @pytest.mark.parametrize("secret", [KEY, PROVIDER_KEY, PROMPT, HEADER])
    async def test_no_secret_is_told(self, rig: Rig, secret: str) -> None:
        gateway = await rig.start()
        await rig.ask("first/a")
        gateway.lines.append(secret.encode())
        with pytest.raises(AssertionError, match="in the log"):
            await rig.check_secrets()
        gateway.lines.remove(secret.encode())
        client = rig.client()
        client.seen += secret.encode()
        with pytest.raises(AssertionError, match="in what a client read"):
            await rig.check_secrets()
        rig.clients.remove(client)
        gateway.app.metrics.error("admit", secret)
        with pytest.raises(AssertionError, match="in the metrics"):
            await rig.check_secrets()
        gateway.app.metrics.store_errors.clear()

    async def test_the_secrets_reach_the_upstream(self, rig: Rig) -> None:
        """Else nothing would be shown by their absence."""
        await rig.start()
        await rig.ask("first/a")
        request = rig.first.requests[0]
        assert request.header(b"authorization") == f"Bearer {PROVIDER_KEY}".encode()
        assert request.header(b"openai-beta") == HEADER.encode()
        assert PROMPT.encode() in request.body
