# Two stages: a locked environment is built with compiled modules, then copied into a small image that runs as nobody.
ARG BASE=python:3.11-slim
FROM ${BASE} AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PROJECT_ENVIRONMENT=/opt/watchdog
RUN python -m pip install --no-cache-dir uv==0.13.9
WORKDIR /src
COPY pyproject.toml uv.lock README.md LICENSE ./
COPY watchdog ./watchdog
# EXTRAS="" leaves the packages of Azure (about 20 MB) and PostgreSQL out.
ARG EXTRAS="--extra azure --extra postgres"
RUN uv sync --frozen --no-dev --no-editable ${EXTRAS}

FROM ${BASE}
LABEL org.opencontainers.image.title="rollback-watchdog" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/watchdog /opt/watchdog
ENV PATH=/opt/watchdog/bin:$PATH PYTHONUNBUFFERED=1
RUN mkdir -p /run/watchdog /var/lib/watchdog && chown 65532:65532 /run/watchdog /var/lib/watchdog
USER 65532:65532
VOLUME ["/var/lib/watchdog", "/run/watchdog"]
EXPOSE 9469
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9469/healthz', timeout=4)"]
ENTRYPOINT ["watchdog"]
CMD ["run", "--config", "/etc/watchdog/watchdog.yaml"]
