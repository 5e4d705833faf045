# On top of the serving base image: what the pipelines of a model import that has no compiled form. `sixfold build`
# builds it (serving/pipeline_image.py hands over the files), once for all versions with the same packages.
ARG BASE=python:3.11-slim
ARG SERVING

FROM ${BASE} AS packages
LABEL sixfold.serving.stage=pipeline
# The package index is the one of the machine that builds. It stays in this stage, of which files are copied only.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
# host-ca.crt is there where the machine has a CA of its own. pip prefers REQUESTS_CA_BUNDLE, which a base may set.
COPY requirements.txt inventory.py host-ca.cr[t] /build/
RUN if [ -s /build/host-ca.crt ]; then export PIP_CERT=/build/host-ca.crt REQUESTS_CA_BUNDLE=/build/host-ca.crt; fi \
    && pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-cache-dir --no-compile \
        --no-deps --only-binary :all: --target /packages -r /build/requirements.txt \
    && cd /packages \
    && rm -rf bin \
    && find . -depth -type d '(' -name tests -o -name __pycache__ ')' -exec rm -rf '{}' ';' \
    # LightGBM needs the system's libgomp; scikit-learn's own copy serves.
    && mkdir lib && ln -s ../scikit_learn.libs/$(ls scikit_learn.libs | grep libgomp) lib/libgomp.so.1 \
    && python /build/inventory.py /packages > packages.json \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /packages

FROM ${SERVING}
COPY --from=packages /packages /opt/sixfold/model
# A model's own code comes before the server's, which is of the same names where it is there too.
ENV PYTHONPATH=/opt/ml/model/sixfold/model/code:/opt/sixfold/model:$PYTHONPATH \
    LD_LIBRARY_PATH=/opt/sixfold/model/lib
