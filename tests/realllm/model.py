"""A tiny model in GGUF, made in a second: its text is gibberish, but llama.cpp's server treats it as any other.

A bigram model in a Llama's clothes: the layers are all zeros, so they cost time but change nothing, and the next
token depends on the last one alone. Channel 0 of the embedding is constant, which makes column 0 of the output
matrix a bias per token: words often, the end now and then, single characters only where a grammar forces them.
Where there are tools the prompt ends with a lone space, and after that comes a call of one, whoever forces it or not.
"""

import random
import string
import struct
from array import array
from collections.abc import Iterator
from pathlib import Path

NAME = "tiny-random"
CONTEXT = 32768
_WIDTH, _HIDDEN, _LAYERS, _HEADS = 256, 1024, 8, 4
_WORDS = ("the", "river", "stone", "morning", "garden", "letter", "answers", "in", "café", "señor", "über", "42")
_SPECIAL = {"<|endoftext|>": 3, "<|im_start|>": 3, "<|im_end|>": 3, "<tool_call>": 4, "</tool_call>": 4}
_END = "<|im_end|>"
_CALL = "<tool_call>"
_TEMPLATE = (  # from how it renders tool calls the server learns how to read them
    '{% if tools %}<|im_start|>system\nAnswer with <tool_call>{"name": NAME, "arguments": OBJECT}</tool_call>.\n'
    "{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content or '' }}"
    "{% for call in m.tool_calls or [] %}<tool_call>"
    '{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}'
    "</tool_call>{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant{{ ' ' if tools else '\n' }}{% endif %}"
)

# GGUF, version 3: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9
_PACKED = {_UINT32: "<I", _INT32: "<i", _FLOAT32: "<f", _BOOL: "<?"}
_ALIGNMENT = 32


def write_model(path: Path) -> None:
    tokens = _tokens()
    metadata = list(_metadata(tokens))
    tensors = list(_tensors(tokens))
    with path.open("wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)))
        for key, kind, value in metadata:
            file.write(_text(key) + struct.pack("<I", kind) + _value(kind, value))
        offset = 0
        for name, shape, data in tensors:
            file.write(_text(name + ".weight") + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, offset))
            offset += len(data)
        file.write(bytes(-file.tell() % _ALIGNMENT))
        for _, _, data in tensors:
            file.write(data)


def _tokens() -> list[str]:
    """In GPT-2's spelling of bytes: a space is a `Ġ`, a line end a `Ċ`, most others are Latin-1."""
    words = [f"Ġ{word.encode().decode('latin-1')}" for word in _WORDS]
    return [*_SPECIAL, *words, "Ġ", "Ċ", *string.digits, *string.ascii_letters, *string.punctuation]


def _metadata(tokens: list[str]) -> Iterator[tuple[str, int, object]]:
    yield "general.architecture", _STRING, "llama"
    yield "general.name", _STRING, NAME
    yield "llama.context_length", _UINT32, CONTEXT
    yield "llama.embedding_length", _UINT32, _WIDTH
    yield "llama.feed_forward_length", _UINT32, _HIDDEN
    yield "llama.block_count", _UINT32, _LAYERS
    yield "llama.attention.head_count", _UINT32, _HEADS
    yield "llama.attention.layer_norm_rms_epsilon", _FLOAT32, 1e-5
    yield "tokenizer.ggml.model", _STRING, "gpt2"
    yield "tokenizer.ggml.pre", _STRING, "gpt-2"
    yield "tokenizer.ggml.tokens", _ARRAY, (_STRING, tokens)
    yield "tokenizer.ggml.token_type", _ARRAY, (_INT32, [_SPECIAL.get(token, 1) for token in tokens])
    yield "tokenizer.ggml.merges", _ARRAY, (_STRING, ["t h"])
    yield "tokenizer.ggml.bos_token_id", _UINT32, 0
    yield "tokenizer.ggml.eos_token_id", _UINT32, tokens.index(_END)
    yield "tokenizer.ggml.add_bos_token", _BOOL, False
    yield "tokenizer.chat_template", _STRING, _TEMPLATE


def _tensors(tokens: list[str]) -> Iterator[tuple[str, tuple[int, ...], bytes]]:
    """Name, shape (the contiguous dimension first) and 32-bit floats; all sizes are multiples of the alignment."""
    ones = array("f", [1.0] * _WIDTH).tobytes()
    vocabulary = (_WIDTH, len(tokens))
    embedding = _noise([_WIDTH**0.5] * len(tokens), 1.0)
    output = _noise([_bias(token) * (2 / _WIDTH) ** 0.5 for token in tokens], 3 * _WIDTH**-0.5)
    call, space = output[tokens.index(_CALL)], embedding[tokens.index("Ġ")]
    call[1:] = array("f", [each + other / 2 for each, other in zip(call[1:], space[1:], strict=True)])
    yield "token_embd", vocabulary, b"".join(row.tobytes() for row in embedding)
    yield "output", vocabulary, b"".join(row.tobytes() for row in output)
    yield "output_norm", (_WIDTH,), ones
    for layer in range(_LAYERS):
        yield f"blk.{layer}.attn_norm", (_WIDTH,), ones
        yield f"blk.{layer}.ffn_norm", (_WIDTH,), ones
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            yield f"blk.{layer}.{name}", (_WIDTH, _WIDTH), bytes(4 * _WIDTH * _WIDTH)
        for name in ("ffn_gate", "ffn_up"):
            yield f"blk.{layer}.{name}", (_WIDTH, _HIDDEN), bytes(4 * _WIDTH * _HIDDEN)
        yield f"blk.{layer}.ffn_down", (_HIDDEN, _WIDTH), bytes(4 * _WIDTH * _HIDDEN)


def _bias(token: str) -> float:
    if token == _END:
        return -1.0
    if token in _SPECIAL or token in "ĠĊ":
        return -60.0
    return 0.0 if len(token) > 1 else -30.0


def _noise(first: list[float], deviation: float) -> list["array[float]"]:
    """One row for each of `first`: that value, then Gaussian noise."""
    dice = random.Random(deviation)
    return [array("f", [head, *(dice.gauss(0, deviation) for _ in range(_WIDTH - 1))]) for head in first]


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def _value(kind: int, value: object) -> bytes:
    match value:
        case str():
            return _text(value)
        case (int(item), list(values)):
            return struct.pack("<IQ", item, len(values)) + b"".join(_value(item, each) for each in values)
    return struct.pack(_PACKED[kind], value)
