import asyncio
import hashlib
from urllib.parse import quote

import pytest

from gateway.store.link import Address
from gateway.store.resp import pack
from tests.redis_server import RedisServer
from tests.store.caller import LIMITS, calling


@pytest.mark.parametrize(
    ("url", "host", "port", "login", "select"),
    [
        pytest.param("redis://h", "h", 6379, None, None, id="a host"),
        pytest.param("redis://10.0.0.1:7000/", "10.0.0.1", 7000, None, None, id="a port"),
        pytest.param("redis://[::1]:7000/0", "::1", 7000, None, None, id="IPv6"),
        pytest.param("redis://h/15", "h", 6379, None, [b"SELECT", b"15"], id="a database"),
        pytest.param("redis://:a:b%40@h", "h", 6379, [b"AUTH", b"a:b@"], None, id="a password"),
        pytest.param("redis://u%3A:p@h/1", "h", 6379, [b"AUTH", b"u:", b"p"], [b"SELECT", b"1"], id="a user"),
    ],
)
def test_a_url_says_where_and_as_whom(
    url: str, host: str, port: int, login: list[bytes] | None, select: list[bytes] | None
) -> None:
    address = Address.of(url)
    assert (address.host, address.port, address.tls) == (host, port, None)
    assert address.login == (login and pack(login))
    assert address.select == (select and pack(select))


def test_rediss_verifies_who_answers() -> None:
    tls = Address.of("rediss://h").tls
    assert tls is not None
    assert tls.check_hostname


def test_no_address_shows_its_password() -> None:
    assert "canary" not in repr(Address.of("redis://:canary@h"))


async def test_a_user_with_a_password_has_its_limits_in_the_database_of_the_url(server: RedisServer) -> None:
    password = "p@ss: wörd"
    hashed = "#" + hashlib.sha256(password.encode()).hexdigest()
    await server.ask("ACL", "SETUSER", "us:er", "on", hashed, "~*", "+@all")
    url = server.url.replace("redis://", f"redis://us%3Aer:{quote(password)}@").removesuffix("/0") + "/3"
    async with calling(url, patience=5.0) as caller:
        await caller.admit("one", LIMITS)
        assert await caller.streams() == 1
    assert "db3:" in await server.text("INFO", "keyspace")


async def test_a_connection_that_ends_before_anything_was_said_is_lost() -> None:
    class Rude(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            transport.write(b"-ERR max number of clients reached\r\n")  # type: ignore[attr-defined]
            transport.close()

    listener = await asyncio.get_running_loop().create_server(Rude, "127.0.0.1", 0)
    async with listener, calling(f"redis://127.0.0.1:{listener.sockets[0].getsockname()[1]}") as caller:
        assert (await caller.call()).degraded
        assert caller.meter.kinds == {"connection"}
