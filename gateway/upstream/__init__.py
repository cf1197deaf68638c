"""Connections to providers, one attempt over one of them, and what its failures mean.

`head` and `connection` are HTTP/1.1 on the wire, `pool` keeps connections alive, `attempt` is one request up to its
first good byte, `faults` the one table of what can go wrong, `probe` the check behind `/health/ai`.
"""
