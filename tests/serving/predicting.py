"""`sixfold predict` with a real server that is no container."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from serving import serve
from serving.predict import command
from tests.serving.server.bundles import MIXED, ROW, Linear, write_bundle
from tests.serving.server.running import running

ROWS = 4_500  # three parts


class _Container:
    """What is left of a container where the server is a process of its own."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def remove(self, force: bool) -> None:
        self.ended.append("removed")


class Asking:
    """`sixfold predict churn`, by a server without a container.

    Attributes
    ----------
    started : list of dict
        What each container was to be created with.
    """

    def __init__(self, folder: Path, model: Linear) -> None:
        self.folder = folder
        self.model = model
        self.started: list[dict[str, Any]] = []
        self.container = _Container()

    def __call__(self, table: str | Path, out: str | Path, *more: str) -> Result:
        return CliRunner().invoke(command, ["churn", str(table), "--out", str(out), *more])

    def refusal(self, table: str | Path, out: str | Path, *more: str) -> str:
        """The one line that it ends with."""
        found = self(table, out, *more)
        assert found.exit_code == 2, found.output
        assert "Traceback" not in found.output
        return found.stderr.strip().splitlines()[-1]

    def rows(self, **columns: Any) -> pd.DataFrame:
        """Rows that the model takes, and these columns before them."""
        rows = pd.DataFrame([ROW] * ROWS).assign(**{"size [cm]": np.arange(ROWS) / 7})
        return pd.DataFrame(columns, index=rows.index).join(
            rows.drop(columns=list({*columns} & {*rows.columns}))
        )

    def predictions(self, rows: pd.DataFrame) -> list[bool]:
        return [bool(item) for item in self.model.predict(rows.to_dict("records")).argmax(axis=1)]


@pytest.fixture(scope="module")
def predicting_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Path, Linear, str]]:
    bundle = tmp_path_factory.mktemp("predict") / "bundle"
    model = write_bundle(bundle, MIXED)
    with running(bundle) as server:
        yield bundle, model, f"http://127.0.0.1:{server.port}"


@pytest.fixture
def ask(
    predicting_server: tuple[Path, Linear, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Asking:
    bundle, model, url = predicting_server
    asking = Asking(tmp_path, model)

    def run(_engine: Any, tag: str, _port: int, _workers: int, _memory: str, options: Any) -> Any:
        asking.started.append(options)
        return serve.Served(asking.container, url, tag, "")

    def read_file(_engine: Any, _tag: str, path: str) -> bytes:
        return (bundle / Path(path).name).read_bytes()

    monkeypatch.setattr("registry.store.connect", lambda: None)
    monkeypatch.setattr("serving.engine.connect", lambda: None)
    monkeypatch.setattr("serving.build.find", lambda *_: SimpleNamespace())
    monkeypatch.setattr("serving.base.read_file", read_file)
    monkeypatch.setattr("serving.serve.image_of", lambda *_, **__: "churn:3")
    monkeypatch.setattr("serving.serve.run", run, raising=False)
    monkeypatch.setattr("serving.serve.stop", lambda _: asking.container.ended.append("stopped"))
    monkeypatch.chdir(tmp_path)
    return asking
