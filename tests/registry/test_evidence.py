"""From two versions in a registry to the gates' results, with real trainings behind them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from registry.evidence import Evidence, gather
from registry.gates import Result, check
from registry.policy import load_policy
from registry.store import rows_reader
from registry.version import DIGEST, FILES, Facts
from tests.registry.versions import registered
from tests.training.trained import store_in, train_quietly
from training.digests import digest_of
from training.errors import UserError

#: The tests' own tree may have changed files.
pytestmark = pytest.mark.slow

_POLICY = "[lineage]\nallow_dirty = true\n[slices]\ncolumns = ['where']\n"


@dataclass(frozen=True)
class Registry:
    """Two trainings of one table, whose rows grew in between."""

    folder: Path
    first: dict[str, Facts]
    second: dict[str, Facts]

    def gathered(
        self, candidate: Facts, production: Facts | None, policy: str = "", data: str = ""
    ) -> Evidence:
        (self.folder / "policy.toml").write_text(_POLICY + policy)
        return gather(
            candidate,
            production,
            load_policy("churn", self.folder),
            approvals=(),
            data=data,
            say=lambda _: None,
            rows_of=rows_reader(mlflow.MlflowClient()),
        )


def table_of(rows: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, rows)).round(6)
    where = rng.choice(["north", "south"], rows)
    y = a + np.where(where == "north", b, -b) + 0.5 * rng.normal(size=rows) > 0
    return pd.DataFrame({"a": a, "b": b, "where": where, "y": np.where(y, "left", "stayed")})


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with store_in(tmp_path_factory.mktemp("evidence")) as folder:
        frame = table_of(1_200)
        found = []
        for number, rows in enumerate((600, 1_200)):
            frame[:rows].to_parquet(f"table-{number}.parquet")
            board = train_quietly(
                data=f"table-{number}.parquet", algorithms="decision_tree,logistic_regression"
            )
            found.append(registered(board))
        yield Registry(folder, *found)


def by_gate(evidence: Evidence) -> dict[str, Result]:
    return {result.gate: result for result in check(evidence)}


def test_a_version_against_production(registry: Registry) -> None:
    """A straight line cannot follow the table; the tree, trained on more rows, is better."""
    tree, line = registry.second["decision_tree"], registry.first["logistic_regression"]
    evidence = registry.gathered(tree, line)
    assert evidence.rows is not None, evidence.no_rows
    assert len(evidence.rows) + evidence.rows.removed == 240
    assert evidence.rows.removed > 0
    results = by_gate(evidence)
    assert not [result.sentence for result in results.values() if result.outcome == "failed"]
    assert results["quality"].details["probability_better"] > 0.95
    assert results["slices"].details["slices"] == 2
    assert results["loads"].details["files"] > 10

    worse = by_gate(swapped(evidence))
    assert worse["quality"].stops
    assert worse["quality"].details["difference"] == pytest.approx(
        -results["quality"].details["difference"]
    )


def swapped(evidence: Evidence) -> Evidence:
    """The same with the candidate in Production's place; what was predicted remains."""
    assert evidence.production is not None
    assert evidence.production_probe is not None
    return replace(
        evidence,
        candidate=evidence.production,
        production=evidence.candidate,
        candidate_probe=evidence.production_probe,
        production_probe=evidence.candidate_probe,
    )


def test_the_first_version_and_a_named_table(registry: Registry) -> None:
    tree = registry.second["decision_tree"]
    fresh = registry.folder / "fresh.csv"
    table_of(300, seed=9).to_csv(fresh, index=False)
    thresholds = "[quality.thresholds]\naccuracy = 0.5\n[calibration]\nenforce = 'warn'\n"
    evidence = registry.gathered(tree, None, thresholds, data=str(fresh))
    results = by_gate(evidence)
    assert not [result.sentence for result in results.values() if result.stops]
    assert results["slices"].outcome == "skipped"
    assert results["quality"].details["thresholds"][0]["rows"] == str(fresh)
    assert results["calibration"].details["rows"] == 300
    assert evidence.compared is not None
    assert evidence.compared.labels == ("left", "stayed")


def test_a_table_without_the_target_is_refused_at_once(registry: Registry) -> None:
    path = registry.folder / "unlabelled.parquet"
    table_of(100).drop(columns="y").to_parquet(path)
    with pytest.raises(UserError, match="the target 'y'"):
        registry.gathered(registry.second["decision_tree"], None, data=str(path))


def test_files_that_cannot_be_downloaded_are_a_failed_gate(registry: Registry) -> None:
    facts = registry.first["decision_tree"]
    gone = replace(facts, version=replace(facts.version, version="77"))
    results = by_gate(registry.gathered(gone, None))
    assert results["loads"].stops
    assert "could not be downloaded" in results["loads"].sentence
    assert results["signature"].stops
    assert results["latency"].stops


def test_a_model_that_does_not_load_in_time_is_a_failed_gate(registry: Registry) -> None:
    facts = registry.first["decision_tree"]
    results = by_gate(registry.gathered(facts, None, "[loads]\nseconds = 1.0\n"))
    assert results["loads"].stops
    assert "did not load within 1 s" in results["loads"].sentence
    assert results["latency"].stops


def test_files_that_were_changed_are_not_run(registry: Registry) -> None:
    facts = registry.first["decision_tree"]
    files = json.loads(facts.version.tags[FILES])
    files["code/training/scoring.py"] = "0" * 64
    tags = {**facts.version.tags, FILES: json.dumps(files), DIGEST: digest_of(files)}
    changed = replace(facts, version=replace(facts.version, tags=tags))
    evidence = registry.gathered(changed, None)
    assert "it was not loaded" in evidence.candidate_probe.error
    assert evidence.candidate_probe.load_seconds is None
    result = by_gate(evidence)["loads"]
    assert result.stops
    assert "code/training/scoring.py is changed" in result.sentence


def test_scores_of_other_metrics_are_the_recorded_ones(registry: Registry) -> None:
    facts = registry.first["decision_tree"]
    evidence = registry.gathered(
        replace(facts, version=replace(facts.version, version="77")),
        None,
        "[quality.thresholds]\naccuracy = 0.99\nlog_loss = 9\n",
    )
    recorded = mlflow.get_run(facts.run_id).data.metrics
    result = by_gate(evidence)["quality"]
    assert result.stops
    assert [item["score"] for item in result.details["thresholds"]] == [
        recorded["test_accuracy"],
        recorded["test_log_loss"],
    ]
