"""No credential leaves the gateway: not in answers, the log, metrics, Redis, or what all may see of a process."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis import Redis

from gateway.simulator import Request, Send, Simulator, Step, error_answer, event, json_answer, sse_answer
from gateway.simulator import head as answer_head
from tests.conftest import KEY
from tests.e2e.conftest import closed_sockets  # noqa: F401 - a fixture
from tests.e2e.raw import RawClient, chat, post
from tests.processes.conftest import redis  # noqa: F401 - a fixture
from tests.processes.served import SERVE, Served, started
from tests.redis_server import RedisServer

CREDENTIAL, HEADER, PASSWORD = "canary-credential-1", "canary-header-2", "canary-password-3"
WRONG, PROMPT = "sk-gw-canary-wrong-4", "canary-prompt-5"
OURS = (CREDENTIAL, HEADER, PASSWORD)
CLOSE = "Connection: close\r\n"


def told_back(request: Request) -> list[Step]:
    """A provider that says what it was sent in every way that one may fail."""
    sent = b" ".join(value for _, value in request.headers).decode()
    match json.loads(request.body)["model"] if request.body else "":
        case "status":
            return error_answer(500, sent, code=CREDENTIAL)
        case "auth":
            return error_answer(401, sent, code=CREDENTIAL, headers=[("WWW-Authenticate", sent)])
        case "redirect":
            return [Send(answer_head(302, [("Location", f"http://127.0.0.1:9/{CREDENTIAL}"), ("Content-Length", "0")]))]
        case "head":
            return [Send(f"HTTP/1.1 200 {sent}\r\nX: {sent}\r\nbroken\r\n\r\n".encode())]
        case "event":
            return sse_answer([event({"error": {"message": sent}})])
        case "header":
            return json_answer(200, {"choices": []}, [("x-secret", sent), ("set-cookie", sent), ("x-request-id", sent)])
    return json_answer(200, {"choices": []})


@pytest.fixture
async def served(redis: RedisServer, upstream: Simulator, tmp_path: Path) -> AsyncIterator[Served]:  # noqa: F811
    upstream.script = told_back
    (tmp_path / "header").write_text(HEADER)
    file = tmp_path / "routes.yaml"
    file.write_text(f"""
server: {{listen: "127.0.0.1:0", workers: 2}}
store: {{url: "redis://default:{PASSWORD}@127.0.0.1:{redis.port}/0"}}
upstreams:
  first:
    base_url: "{upstream.url}"
    api_key: ${{CREDENTIAL}}
    headers: {{x-team: "file:{tmp_path}/header"}}
model_defaults: {{max_retries: 0}}
models: {{"*": {{upstream: first, name: "*"}}}}
limits: {{some: {{requests_per_minute: 1000, concurrent_streams: 100}}}}
keys: [{{name: tester, key: "{KEY}", limits: some}}]
""")
    async with started(*SERVE, str(file), workers=2, CREDENTIAL=CREDENTIAL) as served:
        yield served


async def ask(served: Served, request: bytes) -> bytes:
    client = RawClient(served.port)
    await client.send(request)
    return (await client.rest())[0]


async def answers(served: Served) -> list[bytes]:
    """What the gateway says at every URL, to good requests and to bad ones, whatever its provider does."""
    models = ("good", "status", "auth", "redirect", "head", "event", "header")
    asked = [
        post({**chat(model, stream=stream), "user": PROMPT}, headers=f"{CLOSE}X-Secret: {PROMPT}\r\n")
        for model in models
        for stream in (False, True)
    ]
    asked.append(
        post(chat("good"), path=f"/v1/chat/completions?api_key={WRONG}", headers=CLOSE).replace(KEY.encode(), b"x")
    )
    asked.append(post(chat(PROMPT + "\0"), headers=CLOSE))
    asked.append(post(b'{"' + PROMPT.encode(), headers=CLOSE))
    asked.append(f"GET /v1/models HTTP/1.1\r\nHost: x\r\nx-api-key: {WRONG}\x01\r\n\r\n".encode())
    for path in (
        "/v1/models",
        "/v1/models/good",
        "/v1/key",
        "/healthz",
        "/readyz",
        "/metrics",
        "/health/ai",
        "/config",
    ):
        for key in (KEY, WRONG):
            asked.append(f"GET {path} HTTP/1.1\r\nHost: x\r\nx-api-key: {key}\r\n{CLOSE}\r\n".encode())
    return [await ask(served, request) for request in asked]


def in_redis(server: RedisServer) -> bytes:
    """All keys, and what is in them."""
    with Redis(port=server.port) as client:
        names: list[bytes] = list(client.scan_iter())
        return b" ".join([*names, *(bytes(client.dump(name) or b"") for name in names)])


def of_processes(pids: list[int]) -> bytes:
    """What any user of the machine may read."""
    files = ("cmdline", "comm", "status", "stat")
    return b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for pid in pids for name in files)


async def test_no_credential_key_or_prompt_is_anywhere_to_be_seen(served: Served, redis: RedisServer) -> None:  # noqa: F811
    seen = await answers(served)
    assert {answer.split(b" ", 2)[1] for answer in seen} >= {b"200", b"400", b"401", b"404", b"502"}
    await served.until("call", 16)
    stored, shown = in_redis(redis), of_processes([served.process.pid, *served.pids])
    assert b"gw:{" in stored
    assert (shown.count(b"\0serve\0"), shown.count(b"\0worker\0")) == (1, 2)
    log = json.dumps(served.lines).encode()
    for secret in (*OURS, WRONG, PROMPT, KEY):
        for place, text in (("an answer", b"".join(seen)), ("the log", log), ("Redis", stored), ("/proc", shown)):
            assert secret.encode() not in text, f"{secret} in {place}"


async def test_what_a_provider_says_is_wrong_with_a_request_is_the_one_text_of_it_that_is_passed_on(
    served: Served, upstream: Simulator
) -> None:
    """So a provider that repeats its credential there tells callers: docs/security.md names that."""
    upstream.script = lambda request: error_answer(422, "It says so.", code="odd")
    answer = await ask(served, post(chat("any", stream=False), headers=CLOSE))
    assert b'{"error":{"message":"It says so.","type":"invalid_request_error","param":null,"code":"odd"}}' in answer
