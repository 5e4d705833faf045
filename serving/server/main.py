"""From a bundle to a server, top to bottom: settings, socket, workers."""

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from serving.server.errors import Unservable

if TYPE_CHECKING:
    from serving.server.bundle import Bundle

_BACKLOG = 2048
#: Where a model's packages are that Sixfold has not trained: its NumPy goes before the server's.
PACKAGES = "SIXFOLD_PACKAGES"


def serve(folder: Path, environ: Mapping[str, str]) -> int:
    """Serve a bundle until SIGTERM; returns the exit code.

    The parent imports everything and binds the port; the workers are forked from it, share what
    was imported, and accept from the same socket.
    """
    try:
        return _serve(folder, environ)
    except Unservable as error:
        print(f"cannot serve: {error}", file=sys.stderr)
        return 1


def _serve(folder: Path, environ: Mapping[str, str]) -> int:
    if packages := environ.get(PACKAGES):
        sys.path.insert(0, packages)
    # Set before NumPy is imported: a pool of threads nobody uses, and it would not survive a fork.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from serving.server.supervise import Supervisor, hold_signals

    hold_signals()
    from serving.server.bundle import SAMPLE, read_bundle
    from serving.server.settings import COMPILED, UNCOMPILED, read_settings

    bundle = read_bundle(folder)
    settings = read_settings(
        environ,
        worker_memory=COMPILED if bundle.path == "onnx" else UNCOMPILED,
        # The recorded sample is asked for at once where the image is tried, whatever its memory is.
        least_body=2 * (folder / SAMPLE).stat().st_size,
    )
    listening = _bind(settings.host, settings.port)
    _preload(bundle, settings.record)
    from serving.server.metrics import Metrics
    from serving.server.routes import NAMES
    from serving.server.supervise import UNSERVABLE
    from serving.server.worker import work

    metrics = Metrics(bundle, NAMES, settings.workers)
    traced = _traced(environ)

    def run(worker: int) -> int:
        metrics.take(worker)
        try:
            work(worker, listening, bundle, settings, metrics, traced)
        except Unservable as error:
            print(f"cannot serve: {error}", file=sys.stderr)
            return UNSERVABLE
        return 0

    def announce() -> None:
        host, port = listening.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        print(
            f"{bundle.model}, version {bundle.version}, is ready on http://{shown}:{port} "
            f"({settings.workers} workers, path {bundle.path})",
            file=sys.stderr,
            flush=True,
        )

    supervisor = Supervisor(
        settings.workers,
        run,
        metrics.clear,
        metrics.ready_workers,
        settings.drain_seconds + settings.max_seconds,
    )
    return supervisor.run(announce, listening.close)


def _traced(environ: Mapping[str, str]) -> bool:
    """Whether traces are asked for and can be made; says so where they cannot."""
    from serving.server.traces import asked, ready

    if not asked(environ):
        return False
    if problem := ready(environ):
        print(f"no traces: {problem}", file=sys.stderr, flush=True)
    return not problem


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        raise Unservable(
            f"expected to listen on {host}:{port}, got {error.strerror}; choose others by "
            "SIXFOLD_HOST and SIXFOLD_PORT"
        ) from None
    listening.setblocking(False)
    return listening


def _preload(bundle: "Bundle", record: str) -> None:
    """Import, once and for all workers, what they would import each."""
    import httptools  # noqa: F401
    import prometheus_client  # noqa: F401
    import uvloop  # noqa: F401

    from serving.server.bundle import PyfuncBundle, import_runtime

    if isinstance(bundle, PyfuncBundle):
        if record and bundle.signature.is_tensor:
            raise Unservable(
                "expected to record a model that takes the columns of a table, got one whose "
                "signature is tensors; leave out --record (SIXFOLD_RECORD)"
            )
        from serving.server.pyfunc import import_mlflow

        try:
            import_mlflow()
        except ImportError as error:
            raise Unservable(f"expected MLflow, got {error}; build the image anew") from None
    else:
        import_runtime()
    if record:
        from serving.server.record import import_writer

        import_writer()
