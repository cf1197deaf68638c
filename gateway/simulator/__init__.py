"""A simulated OpenAI-compatible upstream: for the demo, the benchmark, and as the scripted upstream of the tests.

A raw server, because it must be able to say what no HTTP library lets one say. It imports no other room.
Look at `step` (what an answer is made of), `answer` (builders of answers), `server` (the simulator itself),
then at the default script: `provider` (routes and key), `pace` (what a model's name asks for), `chat`, `tools`,
`embeddings`, and `faults` (every way an upstream is known to fail, by model name).
"""

from gateway.simulator.answer import LAST_CHUNK, chunked, error_answer, event, head, json_answer, sse_answer
from gateway.simulator.connection import Departure
from gateway.simulator.faults import FAULTS
from gateway.simulator.provider import Provider
from gateway.simulator.request import Request
from gateway.simulator.server import Script, Simulator
from gateway.simulator.step import Close, Gate, Pause, Reset, Send, Silence, Step, Wait

__all__ = [
    "FAULTS",
    "LAST_CHUNK",
    "Close",
    "Departure",
    "Gate",
    "Pause",
    "Provider",
    "Request",
    "Reset",
    "Script",
    "Send",
    "Silence",
    "Simulator",
    "Step",
    "Wait",
    "chunked",
    "error_answer",
    "event",
    "head",
    "json_answer",
    "sse_answer",
]
