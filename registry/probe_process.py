"""What runs inside a probe: a Python of its own loads one model, predicts, and leaves the answer.

Started by `probe.py` as `python -I probe_process.py JOB.json`; nothing of Sixfold is imported but
what the model itself carries. It loads, writes `loaded`, waits for a line on its standard input (so
that two probes do not measure each other), predicts, and writes `answer.json`.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

_WARM_UP = 20
_LATENCY_SECONDS = 30.0

#: Reviewed: what libraries unpickle that is not a model's, with the reason.
_ALLOWED: frozenset[tuple[str, str]] = frozenset()


class PickleBlocked(RuntimeError):
    """A pickle was about to be loaded."""


def main(file: Path) -> None:
    """Do a job; the answer says what could not be done, and at which step."""
    job = json.loads(file.read_text())
    answer: dict[str, Any] = {"step": "load", "pickled": []}
    try:
        _work(job, answer, file.parent)
        answer["step"] = ""
    except BaseException as error:  # noqa: BLE001  whatever it is, the answer is the place for it
        said = (str(error).strip().splitlines() or [""])[0][:500]
        answer["error"] = f"{type(error).__name__}: {said}" if said else type(error).__name__
    (file.parent / "answer.json").write_text(json.dumps(answer))


def _work(job: dict[str, Any], answer: dict[str, Any], folder: Path) -> None:
    _block_pickle(answer["pickled"])
    began = time.perf_counter()
    import mlflow.pyfunc

    imported = time.perf_counter()
    model = mlflow.pyfunc.load_model(job["model"])
    answer["import_seconds"] = imported - began
    answer["load_seconds"] = time.perf_counter() - imported
    (folder / "loaded").touch()
    if not sys.stdin.readline():
        return  # who asked is gone
    import numpy as np
    import pandas as pd

    raw = model.get_raw_model()
    answer["step"] = "sample"
    records = json.loads(Path(job["sample"]).read_text(encoding="utf-8"))["rows"]
    answer["sample"] = np.asarray(raw.predict_raw(pd.DataFrame(records))).tolist()
    answer["step"] = "latency"
    answer["latencies"] = _latencies(model, [pd.DataFrame([row]) for row in records], job["calls"])
    if job["rows"]:
        answer["step"] = "rows"
        began = time.perf_counter()
        frame = pd.read_feather(job["rows"])
        parts = [
            raw.predict_raw(frame.iloc[start : start + job["chunk"]])
            for start in range(0, len(frame), job["chunk"])
        ]
        np.save(folder / "predictions.npy", np.concatenate(parts), allow_pickle=False)
        answer["predict_seconds"] = time.perf_counter() - began
    answer["memory"] = _peak()


def _latencies(model: Any, rows: list[Any], calls: int) -> list[float]:
    """Seconds of single-row predictions, after some that are not counted."""
    found = []
    end = time.perf_counter() + _LATENCY_SECONDS
    for at in range(_WARM_UP + calls):
        began = time.perf_counter()
        model.predict(rows[at % len(rows)])
        now = time.perf_counter()
        found.append(now - began)
        if now > end and at > _WARM_UP:
            break
    return found[min(_WARM_UP, len(found) - 1) :]


def _block_pickle(asked: list[str]) -> None:
    """Refuse, from here on and in every library, to build an object from a pickle."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "pickle.find_class":
            module, name = str(arguments[-2]), str(arguments[-1])
            if (module, name) not in _ALLOWED:
                asked.append(f"{module}.{name}")
                raise PickleBlocked(f"a pickle asks for {module}.{name}")

    sys.addaudithook(hook)


def _peak() -> int:
    """The most memory this process has taken, in bytes."""
    # Of getrusage, the part before exec is the parent's.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1_024
    return 0


if __name__ == "__main__":
    main(Path(sys.argv[1]))
