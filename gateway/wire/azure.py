"""OpenAI's schema at Azure: the model is a deployment in the path, and the version of the API is in the query."""

from urllib.parse import quote

from gateway.core.call import Ask
from gateway.core.route import Target, Upstream
from gateway.wire.opaque import Opaque
from gateway.wire.openai import OpenAI


def credential(upstream: Upstream) -> tuple[tuple[str, str], ...]:
    return (("api-key", upstream.api_key),) if upstream.api_key else ()


def models(upstream: Upstream) -> str:
    return f"/openai/models?{_version(upstream)}"


def deployment(target: Target, path: str) -> str:
    return f"/openai/deployments/{quote(target.remote, safe='')}{path}?{_version(target.upstream)}"


def _version(upstream: Upstream) -> str:
    return f"api-version={quote(upstream.api_version or '', safe='')}"


class Azure(OpenAI):
    def path(self, ask: Ask, target: Target) -> str:
        return deployment(target, super().path(ask, target))


class OpaqueAzure(Opaque):
    def path(self, ask: Ask, target: Target) -> str:
        return deployment(target, super().path(ask, target))
