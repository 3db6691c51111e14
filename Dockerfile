# The container. What is needed, and in which versions, stands in pyproject.toml and
# constraints.txt; nothing is repeated here.
#
#   docker build -t slide-workbench .
#   docker run --rm -p 5006:5006 -v /path/to/slides:/slides:ro -v runs:/runs slide-workbench
#
# With a GPU (the base brings the driver's libraries, torch's wheels the rest):
#
#   docker build --build-arg BASE=nvidia/cuda:12.8.1-runtime-ubuntu24.04 -t slide-workbench:gpu .
#   docker run --rm --gpus all -p 5006:5006 -v /path/to/slides:/slides:ro slide-workbench:gpu
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}

RUN command -v python3 >/dev/null && python3 -c 'import venv, ensurepip' 2>/dev/null \
    || { apt-get update && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*; }

RUN useradd --create-home --uid 1000 workbench && mkdir /slides /runs /keys /opt/workbench \
    && chown workbench /slides /runs /keys /opt/workbench
USER workbench
WORKDIR /opt/workbench
COPY --chown=workbench pyproject.toml constraints.txt README.md LICENSE ./
COPY --chown=workbench workbench ./workbench
RUN python3 -m venv .venv \
    && .venv/bin/pip install --no-cache-dir --constraint constraints.txt '.[all]'

ENV PATH=/opt/workbench/.venv/bin:$PATH
EXPOSE 5006
VOLUME ["/slides", "/runs"]
# Beyond loopback, because a container is reached from outside; put a login in front
# of it with --basic-auth or a proxy.
CMD ["workbench", "serve", "--slides", "/slides", "--runs", "/runs", "--address", "0.0.0.0", "--port", "5006"]
