"""Who asked, for the log: what `X-Forwarded-For` says is believed only from hop to trusted hop."""

import pytest

from tests.conftest import StartGateway
from tests.e2e.answers import answer_to
from tests.e2e.raw import chat, post

SERVER = 'listen: "127.0.0.1:0"'


async def peer_of(start_gateway: StartGateway, upstreams: str, trusted: str, *headers: str) -> str:
    """The peer in the log's line of a call with these `X-Forwarded-For`."""
    gateway = await start_gateway(upstreams.replace(SERVER, f"{SERVER}, trusted_proxies: [{trusted}]"))
    told = "".join(f"X-Forwarded-For: {header}\r\n" for header in headers)
    assert (await answer_to(gateway, post(chat("fast"), headers=f"{told}Connection: close\r\n"))).status == 200
    peer = (await gateway.last_call())["peer"]
    assert isinstance(peer, str)
    return peer


@pytest.mark.parametrize(
    ("headers", "peer"),
    [
        pytest.param(["203.0.113.9"], "203.0.113.9", id="the client behind one proxy"),
        pytest.param(["203.0.113.9, 10.0.0.2"], "203.0.113.9", id="behind two"),
        pytest.param(["203.0.113.9", "10.0.0.2"], "203.0.113.9", id="a header of each"),
        pytest.param(["6.6.6.6, 203.0.113.9, 10.0.0.2"], "203.0.113.9", id="what the client made up is not"),
        pytest.param(["6.6.6.6, nobody, 10.0.0.2"], "10.0.0.2", id="nor anything before what is no address"),
        pytest.param(["10.0.0.3, 10.0.0.2"], "10.0.0.3", id="trusted hops only"),
        pytest.param([""], "127.0.0.1", id="nothing"),
    ],
)
async def test_a_hop_is_believed_only_if_a_trusted_one_names_it(
    start_gateway: StartGateway, two_upstreams: str, headers: list[str], peer: str
) -> None:
    assert await peer_of(start_gateway, two_upstreams, "127.0.0.1, 10.0.0.0/8", *headers) == peer


async def test_a_peer_that_is_no_trusted_proxy_speaks_for_itself(
    start_gateway: StartGateway, two_upstreams: str
) -> None:
    assert await peer_of(start_gateway, two_upstreams, "10.0.0.0/8", "203.0.113.9") == "127.0.0.1"
