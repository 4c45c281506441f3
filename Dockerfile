# docker build -t blurscene-stream .
# Without CUDA, much smaller:
# docker build -t blurscene-stream:cpu --build-arg TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu .

FROM python:3.12-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# PyTorch comes first and alone: it is most of the image, and a change of the code does not bring it again.
RUN python -m venv /opt/blurscene
ARG TORCH=torch
ARG TORCH_INDEX_URL=
RUN /opt/blurscene/bin/pip install "${TORCH}" ${TORCH_INDEX_URL:+--index-url "${TORCH_INDEX_URL}"}

WORKDIR /src
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY blurscene_stream blurscene_stream
COPY config config
COPY weights weights
RUN pip wheel --no-deps --wheel-dir /wheels . && /opt/blurscene/bin/pip install /wheels/*.whl

FROM python:3.12-slim
COPY --from=build /opt/blurscene /opt/blurscene
# `video` is not among the container toolkit's defaults.
ENV PATH=/opt/blurscene/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,video,utility
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin blurscene
USER 10001:10001
WORKDIR /data
ENTRYPOINT ["blurscene-stream"]
CMD ["--help"]
