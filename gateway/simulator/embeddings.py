"""Embeddings: vectors of unit length that depend on the input alone."""

import base64
import hashlib
import itertools
import math
import struct

import msgspec

from gateway.simulator.chat import count_tokens

_DIMENSIONS = 16

Input = str | list[str | int | list[int]]


class EmbeddingsRequest(msgspec.Struct):
    """OpenAI's SDKs ask for base64 unless told otherwise."""

    model: str
    input: Input
    dimensions: int | None = None
    encoding_format: str | None = None

    def __post_init__(self) -> None:
        if not self.input:
            raise ValueError("Expected a non-empty value - at `$.input`")
        if not 1 <= self.size <= 4096:
            raise ValueError("Expected `int` from 1 to 4096 - at `$.dimensions`")

    @property
    def size(self) -> int:
        return _DIMENSIONS if self.dimensions is None else self.dimensions

    @property
    def texts(self) -> list[str | list[int]]:
        """One an embedding: a text, or a text as token numbers."""
        if isinstance(self.input, str):
            return [self.input]
        numbers = [item for item in self.input if isinstance(item, int)]
        return [numbers] if numbers else [item for item in self.input if not isinstance(item, int)]


def embeddings(request: EmbeddingsRequest) -> dict[str, object]:
    """The answer to it."""
    data = [
        {"object": "embedding", "index": index, "embedding": _encoded(_vector(text, request.size), request)}
        for index, text in enumerate(request.texts)
    ]
    tokens = sum(count_tokens(text) if isinstance(text, str) else len(text) for text in request.texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": request.model, "usage": usage}


def _vector(text: str | list[int], size: int) -> list[float]:
    seed = msgspec.json.encode(text)
    blocks = (hashlib.sha256(b"%d:%b" % (block, seed)).digest() for block in itertools.count())
    values = [byte - 127.5 for byte in itertools.islice(itertools.chain.from_iterable(blocks), size)]
    length = math.hypot(*values)
    return [value / length for value in values]


def _encoded(vector: list[float], request: EmbeddingsRequest) -> str | list[float]:
    if request.encoding_format != "base64":
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
