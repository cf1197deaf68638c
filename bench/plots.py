"""The plots, as SVG: small, and the same bytes for the same results."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from matplotlib.typing import RcKeyType

from bench.results import (
    Figure,
    Results,
    cpu_per_call,
    cpu_per_event,
    difference,
    first_byte_p50,
    kb_per_stream,
    lag_p50,
    lag_p99,
    median,
)

_STYLE: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "bench",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "figure.facecolor": "white",
}
_COLORS = {"gateway": "#1f6feb", "gateway redis": "#79b8ff", "nginx": "#2da44e", "bare": "#8c959f"}
_LABELS = {"gateway redis": "gateway,\nRedis", "bare": "bare\naiohttp"}


def draw(results: Results, folder: Path) -> None:
    """A plot whose figures were not measured is not drawn; an older file of that name is left as it is."""
    with mpl.rc_context(_STYLE):
        for name, plot in _PLOTS.items():
            if canvas := plot(results):
                canvas.savefig(folder / f"{name}.svg", metadata={"Date": None})


def cpu(results: Results) -> Canvas | None:
    panels = (("streams", cpu_per_event, "CPU µs per event"), ("plain", cpu_per_call, "CPU µs per plain call"))
    return _bars([(title, _medians(results, scenario, figure)) for scenario, figure, title in panels])


def memory(results: Results) -> Canvas | None:
    return _bars([("KB per open stream", _medians(results, "memory", kb_per_stream))])


def added_latency(results: Results) -> Canvas | None:
    panels = (("plain-1", "added µs, plain call"), ("first-event", "added µs, first event of a stream"))
    return _bars([(title, _added(results, scenario)) for scenario, title in panels])


def streams(results: Results) -> Canvas | None:
    """Lag and CPU against their number."""
    if not results.contestants("streams-number"):
        return None
    canvas, (lag, cost) = _panels(2)
    for name in results.contestants("streams-number"):
        for figure, style in ((lag_p50, "-"), (lag_p99, "--")):
            points = [(at, value / 1000) for at, value in results.points("streams-number", name, figure)]
            _line(lag, points, name, style)
        _line(cost, results.points("streams-number", name, cpu_per_event), name)
    numbers = sorted({series.at for series in results.series if series.scenario == "streams-number"})
    _axes(lag, numbers, "streams", "ms")
    _axes(cost, numbers, "streams", "µs")
    _logarithmic(lag)
    lag.set_title("event lag: p50, and p99 dashed", fontsize=10)
    cost.set_title("CPU per event", fontsize=10)
    cost.set_ylim(bottom=0)
    cost.legend(fontsize=8, frameon=False)
    return canvas


def scale(results: Results) -> Canvas | None:
    """CPU a call of the gateway alone."""
    curves = []
    for scenario, title in (("bodies", "bytes of the request's body"), ("keys", "keys"), ("models", "models")):
        names = results.contestants(scenario)
        points = sorted(point for name in names for point in results.points(scenario, name, cpu_per_call))
        if points:
            curves.append((title, points))
    if not curves:
        return None
    canvas, panels = _panels(len(curves))
    for axes, (title, points) in zip(panels, curves, strict=True):
        _line(axes, points, "gateway")
        _axes(axes, [at for at, _ in points], title, "CPU µs per plain call")
        if points[-1][1] > 20 * points[0][1]:
            _logarithmic(axes)
        else:
            axes.set_ylim(0, 1.3 * max(value for _, value in points))
    return canvas


_PLOTS: dict[str, Callable[[Results], Canvas | None]] = {
    "cpu": cpu,
    "streams": streams,
    "memory": memory,
    "added-latency": added_latency,
    "scale": scale,
}


def _medians(results: Results, scenario: str, figure: Figure) -> dict[str, float]:
    found = {name: median(results.find(scenario, name), figure) for name in _COLORS}
    return {name: value for name, value in found.items() if value is not None}


def _added(results: Results, scenario: str) -> dict[str, float]:
    direct = results.find(scenario, "direct")
    found = {name: difference(results.find(scenario, name), direct, first_byte_p50) for name in _COLORS}
    return {name: value for name, value in found.items() if value is not None}


def _panels(number: int) -> tuple[Canvas, list[Axes]]:
    canvas = Canvas(figsize=(4.2 * number, 3.2), layout="constrained")
    return canvas, list(canvas.subplots(1, number, squeeze=False)[0])


def _bars(panels: Sequence[tuple[str, dict[str, float]]]) -> Canvas | None:
    drawn = [(title, values) for title, values in panels if values]
    if not drawn:
        return None
    canvas, all_axes = _panels(len(drawn))
    for axes, (title, values) in zip(all_axes, drawn, strict=True):
        bars = axes.bar(
            [_LABELS.get(name, name) for name in values],
            list(values.values()),
            color=[_COLORS[name] for name in values],
            width=0.6,
        )
        axes.bar_label(bars, labels=[f"{value:.1f}" if value < 100 else f"{value:.0f}" for value in values.values()])
        axes.set_title(title, fontsize=10)
        axes.grid(visible=False, axis="x")
        axes.margins(y=0.12)
    return canvas


def _line(axes: Axes, points: Sequence[tuple[int, float]], name: str, style: str = "-") -> None:
    axes.plot(*zip(*points, strict=True), style, color=_COLORS[name], marker="o", markersize=4, label=name)


def _axes(axes: Axes, ticks: Sequence[int], x: str, y: str) -> None:
    """The x axis is logarithmic."""
    axes.set_xscale("log")
    axes.set_xticks(ticks, [_short(tick) for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def _logarithmic(axes: Axes) -> None:
    """The y axis."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _short(number: int) -> str:
    for unit, size in (("M", 1_000_000), ("k", 1000)):
        if number >= size:
            return f"{number / size:g}{unit}"
    return str(number)
