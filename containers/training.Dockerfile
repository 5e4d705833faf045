# The image in which training runs. `make image` builds it; `docker build -f containers/training.Dockerfile .`
# does too, with the classic builder or BuildKit.
ARG BASE=python:3.11-slim

# The installer, from the development lock: a stage of its own, so that a change of some other development
# tool leaves the layers below as they are.
FROM ${BASE} AS installer
LABEL sixfold.stage=build
# The package index is the one of the machine that builds; it is not written down here.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
# The file is there on networks that inspect TLS (`containers/setup` copies the machine's CA bundle).
COPY requirements-dev.lock containers/host-ca.cr[t] /build/
RUN if [ -s /build/host-ca.crt ]; then export PIP_CERT=/build/host-ca.crt REQUESTS_CA_BUNDLE=/build/host-ca.crt; fi \
    && awk '/^[a-z]/ { wanted = /^uv==/ } wanted' /build/requirements-dev.lock > /build/uv.lock \
    && pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-cache-dir \
        --require-hashes --no-deps --target /uv -r /build/uv.lock

# The environment, byte-compiled: containers start with it again and again, and cannot write to it.
FROM ${BASE} AS environment
LABEL sixfold.stage=build
ARG UV_DEFAULT_INDEX
ARG UV_INDEX
ARG UV_INDEX_STRATEGY
ARG UV_INSECURE_HOST
COPY --from=installer /uv/bin/uv /usr/local/bin/uv
COPY requirements.lock containers/host-ca.cr[t] /build/
RUN if [ -s /build/host-ca.crt ]; then export SSL_CERT_FILE=/build/host-ca.crt; fi \
    && python -m venv /opt/venv \
    && uv pip install --quiet --no-cache --python /opt/venv/bin/python --no-deps --require-hashes \
        -r /build/requirements.lock \
    && { python -m compileall -qq -j 0 -x '/(tests|plotly|fontTools|pip|setuptools)/' /opt/venv/lib || true; } \
    && mkdir -m 1777 /opt/matplotlib \
    && MPLCONFIGDIR=/opt/matplotlib /opt/venv/bin/python -c "import matplotlib.font_manager" \
    # LightGBM needs the system's libgomp; scikit-learn's own copy serves, and makes one OpenMP of two.
    && ln -s "$(ls /opt/venv/lib/python3*/site-packages/scikit_learn.libs/libgomp*)" /opt/venv/lib/libgomp.so.1

FROM ${BASE}
COPY --from=environment /opt /opt
# HOME is the one folder that any user may write to: the container runs as whoever started it.
# MLflow mounts the SQLite file into /mlflow/tmp, and SQLite writes its journal beside it.
RUN mkdir -p /mlflow/projects/code /mlflow/tmp && chmod 1777 /mlflow/tmp
ENV PATH=/opt/venv/bin:$PATH \
    LD_LIBRARY_PATH=/opt/venv/lib \
    PYTHONPATH=/mlflow/projects/code \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    LOGNAME=sixfold \
    MPLCONFIGDIR=/opt/matplotlib \
    GIT_PYTHON_REFRESH=quiet \
    MLFLOW_DISABLE_TELEMETRY=true
WORKDIR /mlflow/projects/code
# What .dockerignore lets through: the code, and nothing of the user's.
COPY . .
RUN rm -rf containers requirements-dev.lock && chmod -R a+rX,go-w . && python -m compileall -q .
USER 1000:1000
CMD ["python", "-m", "sixfold", "train", "--help"]
