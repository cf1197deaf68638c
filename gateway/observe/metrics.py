"""The Record as Prometheus metrics. Labels only ever take configured names."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.metrics import MetricWrapperBase

from gateway import __version__
from gateway.core.outcome import AttemptResult, Outcome, Record, Usage
from gateway.core.route import Model, Target
from gateway.observe.multiprocess import VERSIONS, make_restarts, render

DURATIONS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 600)
FIRST_TOKEN = (0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 30, 60)
PER_TOKEN = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28)
OVERHEAD = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05)
STORE = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)
LAG = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
MAX_RETRIES_SHOWN = 5

disable_created_metrics()  # type: ignore[no-untyped-call]

PREFIX = "gateway_"

_TARGET = ("route", "model", "upstream")

OfAll = Literal["livemax", "livemin", "livesum"]


class Metrics:
    """All metrics of a process; a `recorder.Reader`. Fits `ports.StoreMeter`.

    `shared` is the folder where the workers of a supervisor keep their values (see `multiprocess`).
    """

    def __init__(self, shared: Path | None = None) -> None:
        self.shared = shared
        self.registry = CollectorRegistry()
        self._version: str | None = None
        self._children: dict[tuple[MetricWrapperBase, tuple[str, ...]], Any] = {}
        self._counted: dict[tuple[Counter, tuple[str, ...]], float] = {}
        self._dropped = 0
        self._declare_calls()
        self._declare_upstreams_and_usage()
        self._declare_store()
        self._declare_process()

    def _declare_calls(self) -> None:
        self.requests = self._counter("requests", "Calls that ended.", *_TARGET, "code", "stream")
        self.duration = self._histogram("request_duration_seconds", "From head to end of a call.", DURATIONS, *_TARGET)
        self.first_token = self._histogram(
            "time_to_first_token_seconds", "From head of a call to the first byte of its stream.", FIRST_TOKEN, *_TARGET
        )
        self.per_token = self._histogram(
            "time_per_output_token_seconds", "Of a stream, after its first byte.", PER_TOKEN, *_TARGET
        )
        self.overhead = self._histogram(
            "overhead_seconds", "From head to first byte, less the upload, upstreams and backoff.", OVERHEAD
        )
        self.disconnects = self._counter("client_disconnects", "Clients that left before the end.", "phase")
        self.retries = self._counter("client_retries", "Calls that an SDK said were retries, by which one.", "count")
        self.broken = self._counter(
            "broken_streams", "Streams that ended badly after their first byte.", "model", "upstream", "reason"
        )
        self.refusals = self._counter("refusals", "Calls that a limit refused.", "limit")
        self.active_streams = self._gauge("active_streams", "Streams under way.", "model", of_all="livesum")

    def _declare_upstreams_and_usage(self) -> None:
        self.attempts = self._counter("attempts", "Attempts by what became of them.", "model", "upstream", "outcome")
        self.fallbacks = self._counter("fallbacks", "From a failed target to the next.", "from", "to", "reason")
        self.target_state = self._gauge(
            "target_state", "0 closed, 1 half open, 2 open, 3 cooling down.", "model", "upstream"
        )
        self.tokens = self._counter(
            "tokens", "Tokens by key; kind is prompt, cached or completion.", "key", "model", "kind"
        )
        self.cost = self._counter("cost_usd", "What the tokens cost by the configured prices.", "key", "model")

    def _declare_store(self) -> None:
        self.store_seconds = self._histogram("store_seconds", "Round trips to the shared store.", STORE, "op")
        self.store_errors = self._counter("store_errors", "What the shared store failed to do.", "op", "kind")
        self.store_degraded = self._gauge("store_degraded", "1 while limits are kept without the shared store.")

    def _declare_process(self) -> None:
        self.loop_lag = self._histogram("event_loop_lag_seconds", "How late the loop's tick came.", LAG)
        self.log_lines_dropped = self._counter("log_lines_dropped", "Log lines that were not written.")
        self.reload_successful = self._gauge(
            "config_last_reload_successful", "1 if the file was valid when last read.", of_all="livemin"
        )
        self.reload_timestamp = self._gauge("config_last_reload_timestamp_seconds", "When the configuration was taken.")
        self.config_version = self._gauge(VERSIONS.removeprefix(PREFIX), "The configuration in use.", "version")
        self.worker_restarts = make_restarts(self.registry)
        self.build = self._gauge("build_info", "The gateway's version.", "version")
        self.build.labels(__version__).set(1)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str, of_all: OfAll = "livemax") -> Gauge:
        """`of_all`: what it is for all workers together."""
        return Gauge(PREFIX + name, text, labels, registry=self.registry, multiprocess_mode=of_all)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(PREFIX + name, text, labels, registry=self.registry, buckets=buckets)

    def config_taken(self, version: str) -> None:
        """States of targets are set at each scrape: those of targets that are gone are forgotten here."""
        for key in [key for key in self._children if key[0] is self.target_state]:
            self._children.pop(key).set(0)
        if self._version is not None:
            self.config_version.labels(self._version).set(0)
        if self.shared is None:
            self.target_state.clear()
            self.config_version.clear()
        self.config_version.labels(version).set(1)
        self._version = version
        self.reload_successful.set(1)
        self.reload_timestamp.set(time.time())

    def config_refused(self) -> None:
        self.reload_successful.set(0)

    def count_dropped(self, lines: int) -> None:
        """`lines` is the total so far."""
        self.log_lines_dropped.inc(lines - self._dropped)
        self._dropped = lines

    def trip(self, op: str, seconds: float) -> None:
        self._child(self.store_seconds, (op,)).observe(seconds)

    def error(self, op: str, kind: str) -> None:
        self._child(self.store_errors, (op, kind)).inc()

    def degraded(self, value: bool) -> None:
        self.store_degraded.set(value)

    def read(self, record: Record) -> None:
        call, ask, usage = record.call, record.ask, record.usage
        target = record.target or (record.attempts[-1].target if record.attempts else None)
        labels = (call.endpoint, *(target.key if target else ("", "")))
        stream = ask is not None and ask.stream
        self._count(self.requests, (*labels, str(record.status), "true" if stream else "false"))
        if call.retry_count:
            self._count(self.retries, (str(min(call.retry_count, MAX_RETRIES_SHOWN)),))
        if record.outcome is not Outcome.OK:
            self._read_ending(record, target)
        self._read_attempts(record.attempts)
        if target is None:
            return
        self._child(self.duration, labels).observe(record.ended - call.started)
        if record.first_byte is None:
            return
        self.overhead.observe(record.overhead)
        if stream:
            self._child(self.first_token, labels).observe(record.first_byte - call.started)
            if record.events > 1:
                self._child(self.per_token, labels).observe((record.ended - record.first_byte) / (record.events - 1))
        if usage is not None and record.caller is not None:
            self._read_usage(record.caller.name, target.model, usage)

    def _read_ending(self, record: Record, target: Target | None) -> None:
        if record.limit is not None:
            self._count(self.refusals, (record.limit,))
        elif record.outcome is Outcome.CLIENT_GONE:
            self._count(self.disconnects, ("before" if record.first_byte is None else "after",))
        elif record.outcome is Outcome.BROKEN and target is not None and record.code is not None:
            self._count(self.broken, (*target.key, record.code))

    def _read_attempts(self, attempts: Sequence[AttemptResult]) -> None:
        failed: AttemptResult | None = None
        for attempt in attempts:
            self._count(self.attempts, (*attempt.target.key, attempt.outcome))
            if failed is not None and failed.target is not attempt.target:
                self._count(self.fallbacks, (failed.target.model.name, attempt.target.model.name, failed.outcome))
            failed = attempt

    def _read_usage(self, key: str, model: Model, usage: Usage) -> None:
        self._count(self.tokens, (key, model.name, "prompt"), usage.prompt)
        self._count(self.tokens, (key, model.name, "completion"), usage.completion)
        if usage.cached:
            self._count(self.tokens, (key, model.name, "cached"), usage.cached)
        if cost := usage.cost_usd(model.price):
            self._count(self.cost, (key, model.name), cost)

    def _count(self, counter: Counter, labels: tuple[str, ...], amount: float = 1) -> None:
        series = counter, labels
        self._counted[series] = self._counted.get(series, 0) + amount

    def flush(self) -> None:
        """What was counted since the last time, each series once: that is where a counter costs most."""
        for (counter, labels), amount in self._counted.items():
            self._child(counter, labels).inc(amount)
        self._counted.clear()

    def _child(self, metric: MetricWrapperBase, labels: tuple[str, ...]) -> Any:
        """What `labels` gives, looked up once: a third of its price."""
        key = metric, labels
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        return child

    def refresh(self, streams: Mapping[str, int], states: Mapping[tuple[str, str], int]) -> None:
        """The gauges of the moment: streams under way by model, states by model and upstream."""
        for model, count in streams.items():
            self._child(self.active_streams, (model,)).set(count)
        for key, state in states.items():
            self._child(self.target_state, key).set(state)

    def render(self) -> bytes:
        """The text that is scraped, for all workers. It takes milliseconds: not for the loop; any thread may."""
        return generate_latest(self.registry) if self.shared is None else render(self.shared)
