# Packages on top of an image, as somebody would put them there who has a list of them (rivals.py hands it over).
ARG BASE=python:3.11-slim
FROM ${BASE}
# The package index is the one of the machine that builds; host-ca.crt is there on networks that inspect TLS.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
COPY requirements.txt host-ca.cr[t] /build/
RUN if [ -s /build/host-ca.crt ]; then export PIP_CERT=/build/host-ca.crt; fi \
    && pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-cache-dir --no-deps \
        -r /build/requirements.txt
