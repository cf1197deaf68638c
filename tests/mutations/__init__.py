"""Proof that the tests can fail: each protection of the gateway is switched off in turn, and a test has to turn red.

`python -m tests.mutations`, or `make mutations`. In which order to look: `protection.py` says what an entry is,
`table.py` where the entries are, `trial.py` how one is tried.
"""
