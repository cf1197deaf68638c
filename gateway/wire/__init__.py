"""Bytes to values and back; pure, no I/O.

`framing` reads HTTP bodies off a socket, `sse` holds every rule about event streams, `likeness` knows an event by the
one before, `chunk` reads the odd one, `body` reads what clients send,
`headers` decides what crosses the gateway, `dialect` is the table of API schemas and `openai` its first row.
"""
