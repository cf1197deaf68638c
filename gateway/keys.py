"""New keys: 256 random bits, and the line of YAML that lets one in by its hash."""

import secrets
from hashlib import sha256

PREFIX = "sk-gw-"
RANDOM_BYTES = 32


def new_key(name: str, limits: str | None = None) -> tuple[str, str]:
    """The key (`sk-gw-` and 43 characters of base64url), and an entry for `keys:` that holds only its hash."""
    key = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    shown = f'- {{name: "{name}", sha256: "{sha256(key.encode()).hexdigest()}"'
    return key, shown + (f', limits: "{limits}"}}' if limits else "}")
