"""The way of a call, stage by stage; `exchange` runs them from top to bottom.

account       opens first and closes last: exactly one Record, whatever happened
authenticate  API key -> Caller
plan          model, tier or auto -> targets, best first, and why others were left out
admit         limits and a lease, one atomic step
fallback      one attempt after another until a first good event
pipe          chunks pushed to the client
exchange      all of the above, in order
"""
