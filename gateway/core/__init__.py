"""The words: frozen values, errors, the clock and the ports between rooms. Imports nothing of ours.

Look at `call` (who asks for what), `route` (where it may go), `outcome` (what became of it),
`errors` (everything that can go wrong, by the side of the first byte it goes wrong on), then `ports`.
"""
