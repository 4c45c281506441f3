# The image of blurscene-stream: docs/docker.md says how it is built and run.
#
#   docker build -t blurscene-stream .                              with CUDA
#   docker build -t blurscene-stream:cpu --build-arg FLAVOUR=cpu .  without, much smaller
#
# FLAVOUR        cuda or cpu
# BASE           an image with Python 3.11 or newer as python3, and its venv
# PIP_INDEX_URL  where packages come from, if not where pip has them from; as a secret, where it holds a password:
#                --secret id=pip,src=pip.conf
# REVISION       the commit, for a label

ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS dependencies
ARG PIP_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY docker/*.lock docker/slim docker/
# What builds packages is pinned too: pip would take the newest for each package that comes as source alone.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes --requirement docker/build.lock \
    && python3 -m venv --without-pip /opt/blurscene
# From here on pip installs into the environment that the image gets, which has no pip of its own.
ENV PATH=/opt/build/bin:$PATH PIP_PYTHON=/opt/blurscene/bin/python
# PyTorch, for a GPU, comes first: it is most of the image, and a new version of something else does not bring it again.
ARG FLAVOUR=cuda
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    case "${FLAVOUR}" in \
    cuda) pip install --require-hashes --requirement docker/cuda.lock ;; \
    cpu) ;; \
    *) echo "FLAVOUR must be cuda or cpu, got ${FLAVOUR}" >&2; exit 1 ;; \
    esac
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    pip --python /opt/build/bin/python wheel --no-build-isolation --no-deps --require-hashes --wheel-dir /wheels \
    --requirement docker/requirements.lock \
    && pip install --no-index --no-deps /wheels/* \
    && docker/slim "$(/opt/blurscene/bin/python -c 'import sysconfig; print(sysconfig.get_path("platlib"))')"

FROM dependencies AS package
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY blurscene_stream blurscene_stream
COPY config config
COPY weights weights
# Under a root of its own: a change of the code is a small layer, above that of the dependencies.
RUN pip --python /opt/build/bin/python wheel --no-index --no-build-isolation --no-deps --wheel-dir /wheel . \
    && pip install --no-index --no-deps --root /package /wheel/*

FROM ${BASE}
# container: that this is one, as systemd's Container Interface has it. video: not among the NVIDIA toolkit's defaults.
# HOME: for caches of libraries, whatever the user; the one folder besides the mounted ones that takes files.
ENV PATH=/opt/blurscene/bin:$PATH \
    LANG=C.UTF-8 \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,video,utility \
    container=oci
RUN useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin blurscene
COPY --from=dependencies /opt/blurscene /opt/blurscene
COPY docker/entrypoint docker/healthcheck /usr/local/bin/
COPY config/gunicorn.py /etc/blurscene/gunicorn.py
COPY --from=package /package/opt/blurscene /opt/blurscene
ARG REVISION
LABEL org.opencontainers.image.title="blurscene-stream" \
      org.opencontainers.image.description="Covers every face and licence plate in videos, pictures and live streams" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0 AND GPL-2.0-or-later"
# Root's until a folder is mounted over it: a result that would be gone with the container is refused.
WORKDIR /data
USER 10001:10001
EXPOSE 5000
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["healthcheck"]
ENTRYPOINT ["entrypoint"]
CMD ["--help"]
