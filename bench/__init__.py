"""The benchmark: what the gateway costs beside the upstream asked directly, nginx, and a bare aiohttp proxy.

`python -m bench` (`make bench`); docs/benchmark.md tells how it measures. Look at `scenarios` (what is measured),
`contestants` (how each thing measured is started), then `season` (one scenario's rounds, in turn) and `rounds` (one of
them), `fleet`, `client` and `stream` (the load, and what it checks), `upstream` and `wheel` (what answers it),
`process` (CPU and memory as the kernel counts them), and `goals`, `report` and `plots` (what comes of it).
"""
