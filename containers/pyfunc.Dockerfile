# On top of the serving base image: the packages of a model that Sixfold has not trained, as the model states them, with
# all that they depend on. `sixfold build` builds it (serving/pipeline_image.py hands over the files), once for all
# models with the same requirements.
ARG BASE=python:3.11-slim
ARG SERVING

FROM ${BASE} AS packages
LABEL sixfold.serving.stage=pyfunc
# The package index is the one of the machine that builds. It stays in this stage, of which files are copied only.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
# host-ca.crt is there where the machine has a CA of its own. The model is anybody's: what it requires is root's here and
# has the network, so none of its code may run: wheels only, and no Python that imports from /packages.
COPY requirements.txt constraints.txt inventory.py host-ca.cr[t] /build/
RUN if [ -s /build/host-ca.crt ]; then export PIP_CERT=/build/host-ca.crt REQUESTS_CA_BUNDLE=/build/host-ca.crt; fi \
    && pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-cache-dir --no-compile \
        --only-binary :all: --target /packages -r /build/requirements.txt -c /build/constraints.txt \
    && cd /packages \
    # What the server is made of stays the server's.
    && rm -rf bin uvicorn uvicorn-* uvloop uvloop-* httptools httptools-* orjson orjson-* prometheus_client \
        prometheus_client-* \
    && find . -depth -type d '(' -name tests -o -name __pycache__ ')' -exec rm -rf '{}' ';' \
    # LightGBM needs the system's libgomp; scikit-learn's own copy serves.
    && mkdir lib && for copy in scikit_learn.libs/libgomp*; do \
        if [ -e "$copy" ]; then ln -sf "../$copy" lib/libgomp.so.1; fi; \
    done \
    && python /build/inventory.py /packages > packages.json \
    && { python -I -m compileall -q -j 0 --invalidation-mode unchecked-hash /packages || true; }

FROM ${SERVING}
COPY --from=packages /packages /opt/sixfold/model
# The server puts them before its own when it starts: what MLflow's build calls in the image is not MLflow's.
ENV SIXFOLD_PACKAGES=/opt/sixfold/model \
    LD_LIBRARY_PATH=/opt/sixfold/model/lib \
    MLFLOW_DISABLE_TELEMETRY=true \
    GIT_PYTHON_REFRESH=quiet
