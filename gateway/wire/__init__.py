"""Bytes to values and back; pure, no I/O.

`framing` reads HTTP bodies off a socket, `sse` holds every rule about event streams, `likeness` knows an event by the
one before, `chunk` reads the odd one, `body` reads what clients send,
`headers` decides what crosses the gateway. `dialect` is the table of upstreams' schemas, `door` that of callers'; a
schema that is the same on both sides is passed on (`openai`, `azure`, `anthropic_native`, `responses_native`,
`opaque`), others are `translated` by the folders that are named for a pair, through the seam in `translation`.
"""
