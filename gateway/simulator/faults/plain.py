"""What goes wrong with a plain answer's body."""

import msgspec

from gateway.simulator.answer import head, json_answer
from gateway.simulator.chat import Completion
from gateway.simulator.step import Close, Send, Step


def _empty(_: Completion) -> list[Step]:
    return json_answer(200, b"")


def _truncated(completion: Completion) -> list[Step]:
    begin = head(200, [("Content-Type", "application/json"), ("Content-Length", "100")])
    return [Send(begin + msgspec.json.encode(completion.plain())[:40]), Close()]


def _broken_json(completion: Completion) -> list[Step]:
    body = msgspec.json.encode(completion.plain())
    return json_answer(200, body[: len(body) // 2])


PLAIN = {
    "empty-plain": _empty,
    "truncated-plain": _truncated,
    "broken-json-plain": _broken_json,
}
