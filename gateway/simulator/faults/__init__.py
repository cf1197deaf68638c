"""Every way an upstream is known to fail, as model names: `fault-<name>[-<N>tok][-<N>ms]`.

Where a fault says nothing of its form, it answers a stream to who asked for one, else plain. U.. are the ids of the
project's fault catalogue. "Three events" are the role and two tokens; "whole" means properly framed to its end.

Statuses, each with an error in OpenAI's shape (U15, U17-U19, U22, U23):
  status-400 status-401 status-404 status-408 status-409 status-422 status-500 status-502 status-503 status-529
  status-429          with `Retry-After: 7`
  model-not-found     404, code model_not_found
  context-length      400, code context_length_exceeded
  redirect            307 to another path of this server (U14)

Before the head, and heads:
  silence             never answers (U04)
  slow-head           a healthy answer after 5 s, or after its `-<N>ms`
  close-head          FIN instead of a head (U05)
  reset-head          RST instead of a head (U06)
  ssh                 an SSH banner (U08)
  big-header          a healthy answer with one header of 64 KB (U09)
  many-headers        a healthy answer with 300 headers (U10)
  bad-status          status 999 (U12)
  103-flood           200 times `103 Early Hints`, then a healthy answer (U13)

Plain answers:
  empty-plain         200 with an empty body, as llama-cpp-python answers a context overflow
  truncated-plain     Content-Length 100, 40 bytes, FIN (U31)
  broken-json-plain   200 with half a JSON object, whole by its Content-Length

Streams that have no good first event:
  error-first         its first event is an error (U25)
  error-string        its first event is `{"error": "<text>"}`, as transformers serves it
  empty               no event, whole (U26)
  comments-only       a comment every 50 ms, never an event (U27)
  gzip                encoded, though identity was asked; a plain answer too (U38)

Streams that break:
  stall-mid           three events, then silence (U28)
  reset-mid           three events, then RST (U29)
  close-mid           three events, then FIN without the terminal chunk (U30)
  cut-event           three events and half of a fourth, then FIN (U30)
  bad-chunk           three events, then an illegal chunk size (U42)
  error-mid           three events, then an error event, whole
  truncated           three events, no finish_reason, no `[DONE]`, whole (U32)

Streams that are odd, but complete:
  no-done             finish_reason, no `[DONE]`, whole (U33)
  after-done          one more event after `[DONE]` (U34)
  garbage             events that are not JSON, not UTF-8, of several lines, or no events at all (U35)
  bom                 a UTF-8 byte order mark first
  crlf                CRLF line ends
  pings               `:` and an empty line before each event, as llama.cpp sends
  huge-line           one event of 1 MB (U36)
  one-byte            each byte its own write and chunk (U41)
  two-in-one          two events in each write
  usage-split         the usage event in two writes and chunks, 10 ms apart; there even if nobody asked for it
  eof-delimited       no chunks: its end is the connection's
  keepalive-lie       promises keep-alive, then closes, as llama.cpp does
"""

from collections.abc import Callable, Iterable

from gateway.simulator.chat import Completion
from gateway.simulator.faults.heads import HEADS
from gateway.simulator.faults.plain import PLAIN
from gateway.simulator.faults.statuses import STATUSES
from gateway.simulator.faults.streams import BREAKING, ODD, WITHOUT_EVENT
from gateway.simulator.step import Step

FAULTS: dict[str, Callable[[Completion], Iterable[Step]]] = {
    **STATUSES,
    **HEADS,
    **PLAIN,
    **WITHOUT_EVENT,
    **BREAKING,
    **ODD,
}
