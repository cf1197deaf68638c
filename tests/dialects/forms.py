"""multipart/form-data bodies, well made and not."""

from gateway.simulator.answer import Headers

BOUNDARY = "----gatewayboundary"
FORM: Headers = (("Content-Type", f'multipart/form-data; boundary="{BOUNDARY}"'),)
AUDIO = bytes(range(256)) * 8 + b"\r\n--not-the-boundary\r\n" + bytes(range(256))


def part(name: str, value: bytes, more: str = "") -> bytes:
    """`more` are further parameters, and lines of its head."""
    return f'Content-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value


def form(*parts: bytes, end: bytes = b"--\r\n") -> bytes:
    delimiter = b"--" + BOUNDARY.encode()
    return b"".join(delimiter + b"\r\n" + one + b"\r\n" for one in parts) + delimiter + end


FILE = part("file", AUDIO, '; filename="a.wav"\r\nContent-Type: audio/wav')
MODEL = part("model", b"whisper")
