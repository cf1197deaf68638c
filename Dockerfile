FROM python:3.13-slim

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore

WORKDIR /src
COPY requirements.lock ./
RUN pip install --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md ./
COPY gateway ./gateway
RUN pip install --no-deps --no-build-isolation .

WORKDIR /
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin gateway
USER 10001

ENV GATEWAY_CONFIG=/etc/gateway/routes.yaml
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
    CMD ["gateway", "healthcheck", "--listen", "127.0.0.1:8080"]
# SIGTERM drains for up to server.drain_timeout (300 s): allow as much before the kill (`docker stop --time 315`).
CMD ["gateway", "serve", "--listen", "0.0.0.0:8080"]
