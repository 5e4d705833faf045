"""Each version in a clean process of its own: does it load, what it predicts, what it takes.

One process a version and promotion. They load at the same time and predict one after the other, so
that the figures of one are not the other's. Whatever becomes of a process, the answer is a `Probe`.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.rows import Rows
from training.sample import FILE, read_sample
from training.schema import Schema

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: Predictions may differ from the recorded ones by this much: single precision, summed in another
#: order by another machine's libraries.
RELATIVE, ABSOLUTE = 1e-5, 1e-6
_PROCESS = Path(__file__).with_name("probe_process.py")
_DATA = "data/model"
_CHUNK = 10_000
_POLL = 0.02
#: All that the process is told of the environment.
_KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR", "OMP_NUM_THREADS")
_STEPS = {
    "load": "did not load",
    "sample": "did not predict its own sample",
    "latency": "did not predict single rows",
    "rows": "did not predict the rows to compare on",
}


@dataclass(frozen=True)
class Job:
    """A version to probe.

    Attributes
    ----------
    model : Path
        Its downloaded files.
    schema : Schema
    folder : Path
        Empty, for the process's files.
    """

    model: Path
    schema: Schema
    folder: Path


@dataclass(frozen=True)
class Probe:
    """What became of a version in a process of its own.

    Attributes
    ----------
    error : str
        What it could not do, and why; '' if it could do all.
    pickled : tuple of str
        The names that a pickle asked for; each was refused.
    sample_difference : float or None
        The largest difference to a prediction recorded at training; None if there are none.
    sample_matches : bool
    sample_rows : int
    predictions : ndarray or None, (n,) or (n, k)
        Raw predictions on the rows to compare on.
    load_seconds, p50, p95 : float or None
        Seconds to load, and of single-row predictions.
    calls : int
        Predictions behind `p50` and `p95`.
    predict_seconds : float
        Of all predictions: what the promotion would take without gates, too.
    size : int
        Bytes of the model's files.
    memory : int
        The most that the process took, in bytes; 0 if not known.
    """

    error: str = ""
    pickled: tuple[str, ...] = ()
    sample_difference: float | None = None
    sample_matches: bool = False
    sample_rows: int = 0
    predictions: "np.ndarray | None" = None
    load_seconds: float | None = None
    p50: float | None = None
    p95: float | None = None
    calls: int = 0
    predict_seconds: float = 0.0
    size: int = 0
    memory: int = 0


def run_probes(jobs: Sequence[Job], rows: Rows | None, seconds: float, calls: int) -> list[Probe]:
    """Probe versions, in the order of the jobs.

    Parameters
    ----------
    jobs : sequence of Job
    rows : Rows or None
        What to predict besides the sample.
    seconds : float
        To load in, and again to predict in.
    calls : int
        Single-row predictions to measure.
    """
    file = ""
    if rows is not None and jobs:
        names = {column.name for job in jobs for column in job.schema.used}
        path = jobs[0].folder / "rows.feather"
        write_rows(rows.frame[[name for name in rows.frame.columns if name in names]], path)
        file = str(path)
    processes = [_Process(job, file, calls) for job in jobs]
    try:
        end = time.monotonic() + seconds
        for process in processes:
            process.wait_until_loaded(end, seconds)
        for process in processes:
            process.finish(seconds)
    finally:
        for process in processes:
            process.stop()
    return [process.probe() for process in processes]


class _Process:
    """One probe's process."""

    def __init__(self, job: Job, rows: str, calls: int) -> None:
        self._job = job
        self._reason = ""
        file = job.folder / "job.json"
        asked = {
            "model": str(job.model),
            "sample": str(job.model / _DATA / FILE),
            "rows": rows,
            "chunk": _CHUNK,
            "calls": calls,
        }
        file.write_text(json.dumps(asked))
        self._said = job.folder / "said.txt"
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(_PROCESS), str(file)],
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                cwd=job.folder,
                env=_environment(job.folder),
                start_new_session=True,
            )

    def wait_until_loaded(self, end: float, seconds: float) -> None:
        """Wait until it has loaded, or ended, or for too long."""
        while self._process.poll() is None and not (self._job.folder / "loaded").exists():
            if time.monotonic() > end:
                self._reason = f"it did not load within {seconds:g} s"
                self.stop()
                return
            time.sleep(_POLL)

    def finish(self, seconds: float) -> None:
        """Let it predict, and wait until it has ended."""
        if self._process.poll() is None:
            try:
                self._process.communicate(b"go\n", timeout=seconds)
            except subprocess.TimeoutExpired:
                self._reason = f"it did not predict within {seconds:g} s"
                self.stop()

    def stop(self) -> None:
        """End it and what it has started, if it still runs."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()

    def probe(self) -> Probe:
        """What it has answered, or why it has not."""
        size = sum(path.stat().st_size for path in self._job.model.rglob("*") if path.is_file())
        file = self._job.folder / "answer.json"
        try:
            answer = json.loads(file.read_text()) if file.exists() else {}
        except ValueError:
            answer = {}
        if self._reason or not answer:
            return Probe(error=self._reason or self._ended(), size=size)
        error = answer.get("error", "")
        if error:
            error = f"it {_STEPS[answer['step']]}: {error}"
        found = _figures(answer)
        if "sample" in answer:
            found |= _reproduced(self._job.model, answer["sample"])
        return Probe(
            error=error,
            pickled=tuple(answer["pickled"]),
            predictions=self._predictions() if not error else None,
            size=size,
            **found,
        )

    def _predictions(self) -> "np.ndarray | None":
        import numpy as np

        file = self._job.folder / "predictions.npy"
        return np.load(file, allow_pickle=False) if file.exists() else None

    def _ended(self) -> str:
        """Why the process ended without an answer."""
        code = self._process.returncode
        if code == -signal.SIGKILL:
            return "its process was killed, most likely because memory ran out"
        if code < 0:
            return f"its process crashed with {signal.Signals(-code).name}"
        lines = self._said.read_text(errors="replace").strip().splitlines()
        said = f": {lines[-1][:300]}" if lines else ""
        return f"its process ended with exit code {code} and no answer{said}"


def _figures(answer: Mapping[str, Any]) -> dict[str, Any]:
    import numpy as np

    found = {name: answer[name] for name in ("load_seconds", "memory") if name in answer}
    found["predict_seconds"] = answer.get("predict_seconds", 0.0)
    if latencies := answer.get("latencies"):
        p50, p95 = np.percentile(latencies, [50, 95])
        found |= {"p50": float(p50), "p95": float(p95), "calls": len(latencies)}
    return found


def _reproduced(model: Path, sample: list[Any]) -> dict[str, Any]:
    """How near the sample's predictions are to those recorded at training."""
    import numpy as np

    _, recorded = read_sample(model / _DATA / FILE)
    predicted = np.asarray(sample, np.float64)
    if predicted.shape != recorded.shape or not len(recorded):
        return {"sample_difference": None, "sample_matches": False, "sample_rows": len(recorded)}
    difference = np.abs(predicted - recorded)
    near = difference <= ABSOLUTE + RELATIVE * np.abs(recorded)
    return {
        "sample_difference": float(difference.max()),
        "sample_matches": bool(near.all()),
        "sample_rows": len(recorded),
    }


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "ERROR"}
    return kept | quiet | {"HOME": str(folder), "GIT_PYTHON_REFRESH": "quiet"}


def write_rows(frame: "pd.DataFrame", path: Path) -> None:
    """Write rows so that a model reads from them what it would read from the frame."""
    import pandas as pd

    from training.values import label

    def storable(values: "pd.Series") -> "pd.Series":
        # Cells of any type, lists among them: their texts are what `features.conform` goes by.
        return pd.Series([label(item) for item in values], index=values.index, dtype=object)

    mixed = [name for name in frame.columns if frame[name].dtype == object]
    frame = frame.assign(**{name: storable(frame[name]) for name in mixed})
    frame.reset_index(drop=True).to_feather(path, compression="uncompressed")
