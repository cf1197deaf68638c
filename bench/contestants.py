"""What is measured, and how each is started: the upstream itself, nginx, the bare proxy, the gateway."""

import hashlib
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bench.process import Command, Process, free_port

ROOT = Path(__file__).parent.parent
KEY = "sk-gw-" + "b" * 43
READY_WITHIN = 120.0  # seconds; 100,000 keys are a file of 10 MB
_SBIN = "/usr/sbin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/bin"


@dataclass(frozen=True, slots=True)
class Place:
    """Where contestants run: a folder of their own, the upstream's port, the environment they get.

    `core` is theirs, `load_core` that of the upstream, the clients and Redis.
    """

    folder: Path
    upstream: int
    environ: Mapping[str, str]
    core: int
    load_core: int
    redis: str = ""

    def cores(self, workers: int) -> frozenset[int]:
        """Two workers have the core of the load, too."""
        return frozenset({self.core} if workers == 1 else {self.core, self.load_core})


class Contestant(Protocol):
    @property
    def name(self) -> str: ...

    def start(self, place: Place) -> Process | None:
        """It may not listen yet. None: there is nothing to start, the upstream is asked directly."""
        ...


@dataclass(frozen=True, slots=True)
class Direct:
    name: str = "direct"

    def start(self, place: Place) -> Process | None:
        return None


@dataclass(frozen=True, slots=True)
class Bare:
    name: str = "bare"

    def start(self, place: Place) -> Process:
        port = free_port()
        words = [sys.executable, "-m", "bench.bare", str(port), f"http://127.0.0.1:{place.upstream}"]
        environ = {**place.environ, "PYTHONPATH": str(ROOT)}
        return Process(Command(words, environ, place.folder / "bare.log", frozenset({place.core})), port)


@dataclass(frozen=True, slots=True)
class Nginx:
    name: str = "nginx"
    workers: int = 1

    def start(self, place: Place) -> Process:
        port, folder = free_port(), place.folder / "nginx"
        folder.mkdir(exist_ok=True)
        (folder / "nginx.conf").write_text(
            _NGINX % {"workers": self.workers, "port": port, "upstream": place.upstream, "folder": folder}
        )
        words = [nginx_program() or "nginx", "-e", str(folder / "error.log"), "-p", str(folder), "-c", "nginx.conf"]
        return Process(Command(words, place.environ, place.folder / "nginx.log", place.cores(self.workers)), port)


@dataclass(frozen=True, slots=True)
class Gateway:
    """`package` is the folder that `gateway` is imported from."""

    name: str = "gateway"
    workers: int = 1
    redis: bool = False
    keys: int = 10
    models: int = 10
    package: Path = field(default=ROOT)

    def start(self, place: Place) -> Process:
        port = free_port()
        config = place.folder / f"{self.name.replace(' ', '-')}.yaml"
        config.write_text(self.config(place))
        listen = ["--listen", f"127.0.0.1:{port}"]
        words = [sys.executable, "-P", "-m", "gateway", "serve", "--config", str(config), *listen]
        environ = {**place.environ, "PYTHONPATH": str(self.package)}
        return Process(Command(words, environ, config.with_suffix(".log"), place.cores(self.workers)), port)

    def config(self, place: Place) -> str:
        """Everything on: limits of every kind, none ever reached, and prices."""
        store = place.redis if self.redis else "memory://"
        models = "".join(_MODEL % number for number in range(1, self.models + 1))
        keys = "".join(_KEY % (number, _sha256(number)) for number in range(1, self.keys + 1))
        return _GATEWAY % (self.workers, store, place.upstream) + f"models:\n{models}keys:\n{keys}"


def _sha256(number: int) -> str:
    """The first key is the one that clients use."""
    return hashlib.sha256((KEY if number == 1 else f"{KEY}{number}").encode()).hexdigest()


def nginx_program() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path=_SBIN)


def redis_program() -> str | None:
    return shutil.which("redis-server") or shutil.which("redis-server", path=_SBIN)


def start_redis(folder: Path, environ: Mapping[str, str], core: int) -> Process:
    port = free_port()
    options = {"port": str(port), "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": str(folder)}
    words = [redis_program() or "redis-server", *(word for name in options for word in (f"--{name}", options[name]))]
    return Process(Command(words, environ, folder / "redis.log", frozenset({core})), port)


_GATEWAY = """\
server: {max_body_bytes: 64MiB, workers: %d}
store: {url: "%s"}
upstreams:
  bench: {base_url: "http://127.0.0.1:%d/v1"}
limits:
  all: {requests_per_minute: 100000000, tokens_per_minute: 100000000, concurrent_streams: 1000000,
        budget: {usd: 1000000000, period: month}}
"""
_MODEL = "  bench-%d: {upstream: bench, price: {input: 0.15, output: 0.60}}\n"
_KEY = "  - {name: key-%d, sha256: %s, limits: all}\n"

_NGINX = """\
daemon off;
worker_processes %(workers)d;
worker_rlimit_nofile 20000;
pid %(folder)s/nginx.pid;
events { worker_connections 16384; multi_accept on; }
http {
    access_log off;
    client_body_temp_path %(folder)s/body;
    proxy_temp_path %(folder)s/proxy;
    fastcgi_temp_path %(folder)s/fastcgi;
    uwsgi_temp_path %(folder)s/uwsgi;
    scgi_temp_path %(folder)s/scgi;
    client_max_body_size 64m;
    client_body_buffer_size 128k;
    keepalive_requests 100000000;
    upstream simulator { server 127.0.0.1:%(upstream)d; keepalive 8192; keepalive_requests 100000000; }
    server {
        listen 127.0.0.1:%(port)d backlog=4096 reuseport;
        location / {
            proxy_pass http://simulator;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }
    }
}
"""
