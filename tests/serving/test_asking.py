"""A real server is asked for parts of any size, in requests that it takes."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from serving import asking
from serving.asking import Asked, taken
from serving.batches import Part
from serving.exchange import columns_of, tensors
from serving.server.signature import Field, Signature
from tests.serving.server.bundles import MIXED, NUMBERS, ROW, Linear, write_bundle
from tests.serving.server.running import Server, running
from training.errors import UserError
from training.schema import Schema


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Linear, Server]]:
    bundle = tmp_path_factory.mktemp("asking") / "bundle"
    model = write_bundle(bundle, MIXED)
    with running(bundle) as server:
        yield model, server


def asked(server: Server, schema: Schema = MIXED) -> Asked:
    return Asked(f"http://127.0.0.1:{server.port}", "churn", schema)


def part(rows: pd.DataFrame) -> Part:
    return Part(rows, {"at": pa.array(range(len(rows)))}, 1)


@pytest.mark.usefixtures("proxied")
def test_ones_own_server_is_asked_past_a_proxy(server: tuple[Linear, Server]) -> None:
    (found,) = asked(server[1]).predictions(part(pd.DataFrame([ROW] * 2)))
    assert len(found["prediction"]) == 2


def test_what_is_too_large_for_a_request_is_sent_in_several(
    server: tuple[Linear, Server],
) -> None:
    model, running = server
    rows = pd.DataFrame([ROW] * 900).assign(**{"size [cm]": np.arange(900) / 7})
    rows["colour"] = [f"{at}" * 20_000 for at in range(900)]  # 50 MB
    found = asked(running).predictions(part(rows))
    assert len(found) > 2
    assert [at for columns in found for at in columns["at"].to_pylist()] == list(range(900))
    predicted = [item for columns in found for item in columns["prediction"].to_pylist()]
    expected = model.predict(rows.assign(colour=None).to_dict("records"))
    assert predicted == [bool(code) for code in expected.argmax(axis=1)]


def test_a_row_that_no_request_has_room_for_is_named(server: tuple[Linear, Server]) -> None:
    rows = pd.DataFrame([ROW] * 5)
    rows.loc[3, "colour"] = "x" * (33 << 20)
    with pytest.raises(UserError, match=r"at most 32 MiB as JSON, got 33 MiB in row 4;"):
        asked(server[1]).predictions(part(rows))


def test_a_row_is_sent_as_long_as_the_server_takes_it(
    server: tuple[Linear, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_ENOUGH", 10)
    found = asked(server[1]).predictions(part(pd.DataFrame([ROW] * 5)))
    assert [len(columns["at"]) for columns in found] == [1] * 5


def test_a_kept_column_called_like_an_output_is_refused(server: tuple[Linear, Server]) -> None:
    rows = Part(pd.DataFrame([ROW]), {"probability_True": pa.array([1])}, 1)
    with pytest.raises(UserError, match="--keep 'probability_True'"):
        asked(server[1]).predictions(rows)


def test_names_of_outputs_are_known_beforehand() -> None:
    names = ["prediction", "prediction_0", "prediction_old", "probability_True", "probability_x"]
    assert taken(MIXED, None, names) == ["prediction", "probability_True"]
    assert taken(NUMBERS, None, names) == ["prediction"]
    foreign = Signature((Field("a", "double"),), (Field("old", "double"),), {})
    assert taken(foreign.schema(), foreign, names) == names[:3]


@pytest.mark.parametrize(
    ("datatype", "data", "kind"),
    [
        ("BYTES", [None, None], pa.string()),
        ("FP32", [None, 1.5], pa.float64()),
        ("BOOL", [True, False], pa.bool_()),
        ("INT32", [1, 2], pa.int64()),
        ("UINT64", [1, 2**63], pa.uint64()),
    ],
)
def test_an_outputs_type_is_the_same_in_every_part(datatype: str, data: Any, kind: Any) -> None:
    columns = columns_of("p", {"datatype": datatype, "shape": [2], "data": data})
    assert columns["p"].type == kind
    assert columns["p"].to_pylist() == data


def test_a_float32_is_the_number_that_training_reads() -> None:
    values = np.array([0.1, np.nan], np.float32)
    (found,) = tensors(pd.DataFrame({"x0": values}), NUMBERS)
    assert found["data"].tolist()[0] == float(values[0])
