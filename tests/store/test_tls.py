"""`rediss://`: a server that no trusted CA vouches for is never told anything, least of all the password."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bench.process import free_port
from tests.redis_server import RedisServer
from tests.store.bench import until_async
from tests.store.caller import RECOVERY, calling

PASSWORD = "canary"

_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
_MAKE = (
    f"openssl req -x509 {_KEY} -days 30 -subj /CN=authority -keyout ca-key.pem -out ca.pem",
    f"openssl req {_KEY} -subj /CN=redis -keyout key.pem -out request.pem",
    "openssl x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -days 30 -extfile names -out certificate.pem",
)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a private authority's `ca.pem`, and its `certificate.pem` for 127.0.0.1 with `key.pem`."""
    folder = tmp_path_factory.mktemp("tls")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    for command in _MAKE:
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def trusting(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))


class TlsServer(RedisServer):
    """The plain port is for the test's own questions."""

    def __init__(self, folder: Path, certificates: Path) -> None:
        self.tls_port = free_port()
        super().__init__(
            folder,
            requirepass=PASSWORD,
            tls_port=str(self.tls_port),
            tls_cert_file=str(certificates / "certificate.pem"),
            tls_key_file=str(certificates / "key.pem"),
            tls_auth_clients="no",
        )

    def tls_url(self, host: str = "127.0.0.1") -> str:
        return f"rediss://:{PASSWORD}@{host}:{self.tls_port}/0"


@pytest.fixture
def tls_server(tmp_path: Path, certificates: Path) -> Iterator[TlsServer]:
    server = TlsServer(tmp_path, certificates)
    server.start()
    yield server
    server.stop()


@asynccontextmanager
async def eavesdropper(tls: ssl.SSLContext | None) -> AsyncIterator[tuple[str, bytearray]]:
    """Its URL, and what it was told."""
    heard = bytearray()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            heard.extend(data)
            writer.write(b"-ERR unknown command\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls) as server:
        yield f"rediss://:{PASSWORD}@127.0.0.1:{server.sockets[0].getsockname()[1]}/0", heard


@pytest.mark.usefixtures("trusting")
class TestTrusted:
    async def test_a_private_authority_is_the_environments(self, tls_server: TlsServer) -> None:
        async with calling(tls_server.tls_url(), patience=5.0) as caller:
            assert not (await caller.call()).degraded
            assert await caller.streams() == 0
        assert caller.meter.errors == []

    async def test_it_is_trusted_again_after_a_loss(self, tls_server: TlsServer) -> None:
        async with calling(tls_server.tls_url(), patience=5.0) as caller:
            tls_server.kill()
            await until_async(caller.is_degraded)
            await asyncio.to_thread(tls_server.start)
            await until_async(caller.is_back, RECOVERY)

    async def test_a_certificate_of_another_name_is_not(self, tls_server: TlsServer) -> None:
        async with calling(tls_server.tls_url("localhost")) as caller:
            assert (await caller.call()).degraded
        assert ("connect", "connection") in caller.meter.errors


class TestUntrusted:
    async def test_the_gateway_goes_on_without_it(self, tls_server: TlsServer) -> None:
        async with calling(tls_server.tls_url()) as caller:
            assert (await caller.call()).degraded
        assert ("connect", "connection") in caller.meter.errors

    async def test_it_is_told_nothing(self, certificates: Path) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificates / "certificate.pem", certificates / "key.pem")
        async with eavesdropper(context) as (url, heard), calling(url) as caller:
            assert (await caller.call()).degraded
        assert heard == b""

    async def test_a_server_that_speaks_no_tls_is_told_no_password(self) -> None:
        async with eavesdropper(None) as (url, heard), calling(url) as caller:
            assert (await caller.call()).degraded
        assert heard.startswith(b"\x16")
        assert PASSWORD.encode() not in heard
