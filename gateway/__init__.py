"""An LLM gateway. Where to begin: `flow/exchange.py`, the way of a call on one screen."""

__version__ = "0.1.0"
