"""What can be lived with, and is hardly meant."""

from bisect import bisect_left
from collections.abc import Mapping

from gateway.config import schema
from gateway.config.faults import shown
from gateway.config.findings import Findings
from gateway.config.names import Names, matches
from gateway.config.rules import LeftOut
from gateway.core.call import Kind
from gateway.core.limits import Limits, Rate
from gateway.core.route import Model, Routes


def warn(
    spec: schema.FileSpec, left_out: LeftOut, routes: Routes, limits: Mapping[str, Limits], findings: Findings
) -> None:
    names = Names(routes.models)
    _empty_tiers(routes, names, findings)
    _idle_globs(spec, left_out, routes, names, findings)
    _small_buckets(spec, limits, Answers(routes.models, names), findings)


def _empty_tiers(routes: Routes, names: Names, findings: Findings) -> None:
    for name, groups in routes.tiers.items():
        models = (names.model_of(member) for group in groups for member in group)
        if all(model is None or routes.models[model].upstream.left_out for model in models):
            message = "is empty, as all its upstreams are left out: a request for it is answered with 503"
            findings.warn(("tiers", name), message, at_key=True)


def _idle_globs(spec: schema.FileSpec, left_out: LeftOut, routes: Routes, names: Names, findings: Findings) -> None:
    known: dict[str, bool] = {}
    for index, key in enumerate(spec.keys):
        if ("keys", index) in left_out:
            continue
        for position, glob in enumerate(key.models):
            if glob not in known:
                known[glob] = (
                    bool(names.near(glob) or names.covered(glob)) if "*" in glob else bool(names.model_of(glob))
                )
            if not known[glob] and not names.exhausted:
                hint = " (tiers and aliases do not count)" if glob in routes.tiers or glob in routes.aliases else ""
                findings.warn(("keys", index, "models", position), f"matches no model{hint}")


def _small_buckets(spec: schema.FileSpec, limits: Mapping[str, Limits], answers: "Answers", findings: Findings) -> None:
    """Tokens are reserved before a call, so a bucket that never holds a model's longest answer refuses it for ever."""
    for index, key in enumerate(spec.keys):
        rate = limits[key.limits].tokens if key.limits is not None else None
        message = answers.message(tuple(key.models), rate) if rate is not None else None
        if message is not None:
            findings.warn(("keys", index, "limits"), message)


class Answers:
    """What is told of a bucket that is too small for the models under a key's globs; found once for keys alike."""

    def __init__(self, models: Mapping[str, Model], names: Names) -> None:
        self._models = models
        self._names = names
        self._by_globs: dict[tuple[str, ...], list[Model]] = {}
        self._messages: dict[tuple[tuple[str, ...], Rate], str | None] = {}

    def message(self, globs: tuple[str, ...], rate: Rate) -> str | None:
        if (globs, rate) not in self._messages:
            self._messages[globs, rate] = self._made(globs, rate)
        return self._messages[globs, rate]

    def _made(self, globs: tuple[str, ...], rate: Rate) -> str | None:
        if globs not in self._by_globs:
            self._by_globs[globs] = sorted(self._chats(globs), key=lambda model: -model.longest_answer)
        models = self._by_globs[globs]
        count = bisect_left(models, True, key=lambda model: rate.ever_holds(model.longest_answer))
        if not count:
            return None
        more = f" and of {count - 1} more" if count > 1 else ""
        return (
            f"never holds more than {rate.burst} tokens: calls of '{shown(models[0].name)}'{more} that set no "
            f"max_completion_tokens reserve {models[0].longest_answer} and are refused (see `defaults` of a model)"
        )

    def _chats(self, globs: tuple[str, ...]) -> list[Model]:
        names: dict[str, None] = {}
        for glob in globs:
            wildcards = (name for name in self._names.near(glob) if matches(name, glob))
            names |= dict.fromkeys((*self._names.covered(glob), *wildcards))
        return [model for name in names if (model := self._models[name]).kind is Kind.CHAT]
