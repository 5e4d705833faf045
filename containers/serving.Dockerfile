# What serving images start from: Python, the server and its locked packages, and nothing else of a system than they
# need. `sixfold build` builds it (serving/base.py hands over the files), once for all models and versions; the
# classic builder does too. Two targets: `slim`, and `mlflow`, from which MLflow's own `build_docker` can go on.
ARG BASE=python:3.11-slim

FROM ${BASE} AS packages
LABEL sixfold.serving.stage=packages
# The package index is the one of the machine that builds. It stays in this stage, of which files are copied only.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
# host-ca.crt is there where the machine has a CA of its own. pip prefers REQUESTS_CA_BUNDLE, which a base may set.
COPY requirements-server.lock requirements-traces.lock requirements-recording.lock host-ca.cr[t] /build/
RUN if [ -s /build/host-ca.crt ]; then export PIP_CERT=/build/host-ca.crt REQUESTS_CA_BUNDLE=/build/host-ca.crt; fi \
    && for part in server traces recording; do \
        pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-cache-dir --no-compile \
            --no-deps --require-hashes --only-binary :all: --target "/$part" -r "/build/requirements-$part.lock" \
            || exit 1; \
    done \
    && mv /server /packages \
    && cp -r "$(python -c 'import os, pip; print(os.path.dirname(pip.__file__))')" /pip \
    && cd /packages \
    # Of ONNX Runtime the library for other languages, which Python's own module does not load.
    && rm -rf bin onnxruntime/capi/libonnxruntime.so* onnxruntime/quantization onnxruntime/tools \
        onnxruntime/transformers onnxruntime/datasets numpy/f2py numpy/distutils numpy/conftest.py \
    # Of the protocols that packages bring the one for errors, by which a collector answers.
    && find /traces/google -mindepth 1 -maxdepth 1 ! -name rpc -exec rm -rf '{}' ';' && rm -rf /traces/bin \
    && find . /traces /recording -depth -type d '(' -name tests -o -name __pycache__ ')' -exec rm -rf '{}' ';' \
    && find . /traces /recording -type f '(' -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.h' -o -name '*.a' \
        -o -name '*.proto' ')' -delete \
    # Python starts on a file system that it cannot write to; without times two builds are the same.
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /packages /traces /recording
COPY containers/inventory.py /build/
COPY code /code
RUN python -m compileall -q --invalidation-mode unchecked-hash /code \
    && python /build/inventory.py /packages > /code/packages.json \
    && python /build/inventory.py /packages /traces /recording > /whole.json
COPY mlflow /mlflow
ARG MLFLOW_VERSION
RUN mv /pip /mlflow/pip \
    && mkdir "/mlflow/mlflow-${MLFLOW_VERSION}+sixfold.dist-info" \
    && printf 'Metadata-Version: 2.1\nName: mlflow\nVersion: %s+sixfold\n' "$MLFLOW_VERSION" \
        > "/mlflow/mlflow-${MLFLOW_VERSION}+sixfold.dist-info/METADATA"

FROM ${BASE} AS system
LABEL sixfold.serving.stage=system
# No installer, no package manager, no perl, nothing that gives a process more rights than it was started with. What is
# in /var/lib/dpkg/status stays: by it scanners know the system's packages.
RUN for library in /usr/lib/python3* /usr/local/lib/python3*; do \
        cd "$library" && rm -rf site-packages/* dist-packages/* idlelib lib2to3 pydoc_data ensurepip distutils \
            turtledemo tkinter test config-*; \
    done \
    && python -m compileall -qq -j 0 --invalidation-mode unchecked-hash \
        "$(python -c 'import os; print(os.path.dirname(os.__file__))')" \
    && cd / && rm -rf usr/local/bin/pip* usr/local/bin/idle* usr/local/bin/2to3* usr/local/bin/pydoc* \
        usr/local/include usr/include usr/local/lib/pkgconfig usr/lib/*/pkgconfig usr/lib/python3 \
        usr/share/doc usr/share/man usr/share/info usr/share/locale usr/share/perl* usr/share/python-wheels \
        usr/share/bash-completion usr/share/lintian usr/share/bug usr/share/debconf usr/share/dpkg \
        usr/lib/*/perl* usr/bin/*perl* usr/lib/apt usr/bin/apt* usr/lib/*/libapt* usr/bin/dpkg* usr/lib/dpkg \
        usr/lib/*/gconv usr/lib/*/security usr/lib/*/libdb-* usr/lib/*/libgnutls* usr/lib/*/libp11-kit* \
        usr/lib/*/libunistring* usr/lib/*/libgcrypt* usr/lib/*/libgmp* usr/lib/*/libhogweed* usr/lib/*/libnettle* \
        usr/lib/*/libext2fs* usr/bin/gpgv usr/lib/systemd usr/sbin/* etc/systemd etc/apt \
        var/lib/apt var/lib/dpkg/info var/lib/pam var/cache/* var/log/* build \
    && find / -xdev -type f -perm /6000 -delete

FROM scratch AS slim
COPY --from=system / /
COPY --from=packages /packages /opt/sixfold/packages
COPY --from=packages /code /opt/sixfold/code
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 \
    HOME=/tmp \
    PYTHONPATH=/opt/sixfold/code:/opt/sixfold/packages \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    OPENBLAS_NUM_THREADS=1 \
    OMP_NUM_THREADS=1 \
    SIXFOLD_HOST=0.0.0.0 \
    SIXFOLD_PORT=8080
EXPOSE 8080
WORKDIR /
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-m", "serving.server", "--check"]
ENTRYPOINT ["python", "-m", "serving.server"]
CMD ["/opt/ml/model/sixfold"]

# MLflow's generated lines install mlflow, then its server, by `pip` and by a function of mlflow's; both find here that
# nothing is left to do. They run as this user, who must be able to change the mode of the folder they work in.
FROM slim AS mlflow
COPY --from=packages /mlflow /opt/sixfold/mlflow
# What OTEL_ variables ask for; nothing of it is imported without them.
COPY --from=packages /traces /opt/sixfold/traces
# What SIXFOLD_RECORD asks for, likewise.
COPY --from=packages /recording /opt/sixfold/recording
COPY --from=packages /whole.json /opt/sixfold/code/packages.json
ENV PYTHONPATH=/opt/sixfold/code:/opt/sixfold/packages:/opt/sixfold/mlflow:/opt/sixfold/traces:/opt/sixfold/recording \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
USER 0:0
RUN printf '#!/bin/sh\nexec python -m pip "$@"\n' > /usr/local/bin/pip && chmod 755 /usr/local/bin/pip \
    && mkdir -p /opt/mlflow && chown 10001:10001 /opt/mlflow && chmod 757 /opt/mlflow \
    # A new volume that is mounted there has its owner.
    && mkdir /recordings && chown 10001:10001 /recordings
USER 10001:10001
