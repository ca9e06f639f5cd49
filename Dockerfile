# Hearth's one image: `hearth run control`, `activator`, `broker` (config/base), and the command.
#
#   buildah build -t hearth:0.1.0 .          # or docker build, podman build
#
# BASE is any Linux with Python 3.11 or newer as python3; both stages start from it, so that the
# environment that the first one makes fits the second. Neither holds a compiler: all dependencies
# come as wheels.
ARG BASE=docker.io/library/python:3.13-slim

FROM ${BASE} AS build
# For package indexes other than the public one, or none: a folder that is mounted.
ARG PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_NO_INDEX
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python3 -m venv --without-pip /opt/hearth
# Dependencies first: a change of the code alone does not fetch them again.
COPY pyproject.toml requirements-dev.lock /src/
# With what adapters need, which run from this image too, expressions and traces. `aws` is 35 MB of it, 27 of which describe
# services that nobody here speaks with; no process reads them that has nothing to do with AWS.
RUN python3 -c "import tomllib; p = tomllib.load(open('/src/pyproject.toml', 'rb'))['project']; print(*p['dependencies'], *(d for extra in ('sources', 'transform', 'tracing', 'otlp-grpc', 'schema', 'aws', 'keda', 'scalers', 'nats', 'kafka', 'pipelines') for d in p['optional-dependencies'][extra]), sep='\n')" > /src/requirements.txt \
 && python3 -m pip --python /opt/hearth/bin/python install --only-binary :all: -r /src/requirements.txt -c /src/requirements-dev.lock
# A compiler for what is compiled (hatch_build.py); without one the image is pure Python.
RUN if command -v apt-get >/dev/null; then \
      apt-get update -qq && apt-get install -qq --no-install-recommends gcc libc6-dev >/dev/null \
      || echo "no compiler to be had: pure Python"; fi
COPY . /src
RUN python3 -m pip --python /opt/hearth/bin/python install --no-deps /src

FROM ${BASE}
# Official images of Python come without compiled modules, and nothing can be written later: each
# start of a pod would compile what it imports, a quarter of all it does till then.
RUN python3 -m compileall -q -x '/(test|tests|idlelib|lib2to3|site-packages)/' \
    "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
COPY --from=build /opt/hearth /opt/hearth
ENV PATH=/opt/hearth/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# Numbers, for runAsNonRoot can tell from a number alone. Only /tmp and /var/lib/hearth are written.
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["hearth"]
