"""One request on a connection of its own, in whatever words, and the whole answer to it."""

import json

from gateway.simulator import Simulator, Step, json_answer, sse_answer
from gateway.simulator.answer import Headers
from gateway.simulator.request import Request
from tests.conftest import KEY, Gateway
from tests.dialects.providers import Json, Spoken
from tests.e2e.answers import Answer
from tests.e2e.raw import RawClient

BEARER = ("Authorization", f"Bearer {KEY}")


def request(path: str, body: object, headers: Headers = (), *, key: tuple[str, str] = BEARER) -> bytes:
    """The connection ends after it. Bytes are sent as they are, anything else as JSON."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = dict(headers)
    lines = [("Host", "x"), key, ("Content-Type", "application/json"), ("Content-Length", str(len(payload)))]
    fields = {**dict(lines), "Connection": "close", **given}
    return (
        f"POST {path} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields.items()) + "\r\n"
    ).encode() + payload


async def ask(
    gateway: Gateway, path: str, body: object, headers: Headers = (), *, key: tuple[str, str] = BEARER
) -> Answer:
    client = RawClient(gateway.port)
    await client.send(request(path, body, headers, key=key))
    return Answer(*await client.rest())


def says(simulator: Simulator, spoken: Spoken, *, headers: Headers = ()) -> None:
    """The answer to whatever comes: as a stream, where one is asked for."""

    def script(asked: Request) -> list[Step]:
        if b'"stream":true' in asked.body or "alt=sse" in asked.path:
            return sse_answer(spoken.events, done=False, headers=headers)
        return json_answer(200, spoken.plain, headers)

    simulator.script = script


def fails(simulator: Simulator, status: int, error: Json, *, headers: Headers = ()) -> None:
    simulator.script = lambda asked: json_answer(status, error, headers)


def sent(simulator: Simulator) -> Json:
    """The body of the last request."""
    body: Json = json.loads(simulator.requests[-1].body)
    return body
