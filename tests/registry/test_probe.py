"""Models in processes of their own: what they answer, and what becomes of those that cannot."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.probe import Job, Probe, run_probes, write_rows
from registry.rows import Rows, find_rows
from registry.store import rows_reader
from tests.registry.versions import Versions, versions_in
from tests.training.problems import frame_of
from tests.training.tables import CELLS, inferred
from training.algorithms import TABLE, find
from training.features import conform

_SECONDS = 120.0
_CALLS = 20


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Versions]:
    folder = tmp_path_factory.mktemp("probe")
    with versions_in(folder, "multiclass", 160, algorithms="decision_tree") as found:
        yield found


@pytest.fixture(scope="module")
def model(versions: Versions) -> Path:
    return versions.download("decision_tree", versions.folder / "model")


def rows_of(versions: Versions, candidate: str) -> Rows:
    """The candidate's own test rows."""
    reader = rows_reader(mlflow.MlflowClient())
    found = find_rows(versions.facts[candidate], None, "", 1, reader)
    assert isinstance(found, Rows)
    return found


def job_of(versions: Versions, candidate: str, model: Path, folder: Path) -> Job:
    folder.mkdir()
    return Job(model, versions.facts[candidate].schema, folder)


def recorded(versions: Versions, candidate: str) -> np.ndarray:
    """Test predictions as the training kept them, in the order of the test rows."""
    from training.predictions import read_predictions

    run_id = versions.facts[candidate].run_id
    path = mlflow.artifacts.download_artifacts(f"runs:/{run_id}/predictions.parquet")
    return read_predictions(Path(path))[1]


@pytest.mark.slow
def test_it_predicts_what_the_training_did(versions: Versions, model: Path, tmp_path: Path) -> None:
    rows = rows_of(versions, "decision_tree")
    job = job_of(versions, "decision_tree", model, tmp_path / "probe")
    (probe,) = run_probes([job], rows, _SECONDS, _CALLS)
    assert (probe.error, probe.pickled) == ("", ())
    assert probe.sample_matches
    assert probe.sample_rows == 5
    assert probe.predictions is not None
    np.testing.assert_allclose(probe.predictions, recorded(versions, "decision_tree"))
    assert probe.calls == _CALLS
    assert probe.p50 is not None
    assert probe.p95 is not None
    assert 0 < probe.p50 <= probe.p95
    assert probe.size == sum(file.stat().st_size for file in model.rglob("*") if file.is_file())
    assert probe.memory > 50e6


#: Code in place of the model's own, for those that do not load.
_LOADER = "def _load_pyfunc(path):\n    {}\n"
_UNLOADABLE = {
    "killed": "import os; os.kill(os.getpid(), 9)",
    "crashed": "import os; os.kill(os.getpid(), 11)",
    "left": "import os; print('enough of this', flush=True); os._exit(3)",
    "raises": "raise ValueError('no such thing')",
    "pickle": "import pickle; pickle.loads(b'cos\\nsystem\\n.')",
    "hidden pickle": "import pickle\n    try: pickle.loads(b'cos\\nsystem\\n.')\n"
    "    except Exception: pass",
}
#: Code after the model's own, for those that predict as they should not.
_MORE = "\n\n_before = Model.predict_raw\n"
_WRONG = {
    "other predictions": "Model.predict_raw = lambda self, X: 0.9 * _before(self, X) + 0.1 / 3\n",
    "one less": "Model.predict_raw = lambda self, X: _before(self, X)[:, :2]\n",
    "fails on rows": "def _raw(self, X):\n    assert len(X) < 10\n    return _before(self, X)\n"
    "Model.predict_raw = _raw\n",
}


@pytest.fixture(scope="module")
def broken(versions: Versions, model: Path) -> dict[str, Probe]:
    """Models whose own code does harm, all probed at once."""
    jobs = []
    for name, code in (_UNLOADABLE | _WRONG).items():
        folder = versions.folder / name
        copy = folder / "model"
        shutil.copytree(model, copy)
        file = copy / "code" / "training" / "scoring.py"
        own = file.read_text()
        file.write_text(_LOADER.format(code) if name in _UNLOADABLE else own + _MORE + code)
        jobs.append(job_of(versions, "decision_tree", copy, folder / "probe"))
    probes = run_probes(jobs, rows_of(versions, "decision_tree"), _SECONDS, _CALLS)
    return dict(zip(_UNLOADABLE | _WRONG, probes, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("killed", "its process was killed, most likely because memory ran out"),
        ("crashed", "its process crashed with SIGSEGV"),
        ("left", "exit code 3 and no answer: enough of this"),
        ("raises", "it did not load: ValueError: no such thing"),
        ("pickle", "it did not load: PickleBlocked: a pickle asks for os.system"),
        ("fails on rows", "it did not predict the rows to compare on: AssertionError"),
    ],
)
def test_what_goes_wrong_is_a_reason(broken: dict[str, Probe], name: str, words: str) -> None:
    assert words in broken[name].error
    assert broken[name].predictions is None
    assert broken[name].size > 0


@pytest.mark.slow
def test_a_pickle_is_known_even_if_the_model_hides_it(broken: dict[str, Probe]) -> None:
    assert broken["hidden pickle"].pickled == ("os.system",)
    assert broken["pickle"].pickled == ("os.system",)


@pytest.mark.slow
def test_other_predictions_are_noticed(broken: dict[str, Probe]) -> None:
    assert not broken["other predictions"].error
    assert not broken["other predictions"].sample_matches
    assert (broken["other predictions"].sample_difference or 0) > 1e-3
    assert not broken["one less"].sample_matches
    assert broken["one less"].sample_difference is None


@pytest.mark.slow
def test_it_is_given_up_when_it_does_not_predict(
    versions: Versions, model: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "model"
    shutil.copytree(model, copy)
    with (copy / "code" / "training" / "scoring.py").open("a") as file:
        file.write("\n\ndef _hang(self, frame):\n    import time; time.sleep(600)\n")
        file.write("Model.predict_raw = _hang\n")
    job = job_of(versions, "decision_tree", copy, tmp_path / "probe")
    (probe,) = run_probes([job], None, 25.0, _CALLS)
    assert probe.error == "it did not predict within 25 s"


@settings(deadline=None)
@given(cells=st.lists(CELLS, min_size=1, max_size=8))
def test_cells_of_any_type_reach_the_model_as_they_were(cells: list[object]) -> None:
    """What no file format takes as it is becomes the model's input that the frame itself does."""
    schema = inferred(frame_of("all", "binary"))[1]
    values = pd.Series(cells, dtype=object)
    frame = pd.DataFrame({column.name: values for column in schema.used})
    with TemporaryDirectory() as folder:
        file = Path(folder, "rows.feather")
        write_rows(frame, file)
        read = pd.read_feather(file)
    assert _same(conform(read, schema), conform(frame, schema))


def _same(one: object, other: object) -> bool:
    return pd.DataFrame(one).equals(pd.DataFrame(other))


@pytest.mark.slow
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_all_candidates_load_and_predict_without_pickle(task: str, tmp_path: Path) -> None:
    with versions_in(tmp_path, task, 160) as versions:
        names = {name for name in TABLE if task not in find(name).not_applicable}
        assert set(versions.facts) == names | {"ensemble"}
        for name in versions.facts:
            folder = tmp_path / name.replace(":", "-")
            model = versions.download(name, folder)
            job = job_of(versions, name, model, folder / "probe")
            (probe,) = run_probes([job], rows_of(versions, name), _SECONDS, _CALLS)
            assert (name, probe.error, probe.pickled) == (name, "", ())
            assert probe.sample_matches, (name, probe.sample_difference)
            assert probe.predictions is not None
            np.testing.assert_allclose(
                probe.predictions, recorded(versions, name), rtol=1e-5, atol=1e-6, err_msg=name
            )
