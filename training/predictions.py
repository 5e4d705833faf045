"""A candidate's predictions as a Parquet file: out of fold on training rows, and on the test rows.

Columns: `part` ('fold 0' … or 'test'), `row` (position in that part's rows as the problem has
them), `y` (class code or value), and `prediction`, or `p0` … `pk` for the classes' probabilities.
"""

from pathlib import Path

import numpy as np

from training.problem import Problem


def write_predictions(
    path: Path, problem: Problem, folds: dict[int, np.ndarray], test: np.ndarray
) -> None:
    """Write a candidate's predictions.

    Parameters
    ----------
    path : Path
    problem : Problem
    folds : dict of fold to ndarray, (n_valid,) or (n_valid, k)
    test : ndarray, (n_test,) or (n_test, k)
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    y = np.asarray(problem.y)
    parts = [
        (f"fold {fold}", np.asarray(problem.folds[fold][1]), prediction)
        for fold, prediction in sorted(folds.items())
    ]
    names = np.concatenate([np.repeat(name, len(rows)) for name, rows, _ in parts])
    rows = np.concatenate([rows for _, rows, _ in parts])
    values = np.concatenate([*(prediction for _, _, prediction in parts), test])
    columns: dict[str, np.ndarray] = {
        "part": np.concatenate([names, np.repeat("test", len(test))]),
        "row": np.concatenate([rows, np.arange(len(test))]),
        "y": np.concatenate([y[rows], np.asarray(problem.y_test)]),
    }
    if values.ndim == 1:
        columns["prediction"] = values
    else:
        columns |= {f"p{code}": values[:, code] for code in range(values.shape[1])}
    table = pa.table(columns)
    place = table.schema.get_field_index("part")
    table = table.set_column(place, "part", table["part"].dictionary_encode())
    pq.write_table(table, path, compression="zstd")


def read_predictions(path: Path) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """Read what `write_predictions` wrote: predictions by fold, and on the test rows."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    part = np.asarray(table["part"].cast("string"))
    names = [name for name in table.column_names if name == "prediction" or name[0] == "p"]
    names = [name for name in names if name != "part"]
    columns = [np.asarray(table[name]) for name in names]
    values = columns[0] if names == ["prediction"] else np.column_stack(columns)
    folds = {
        int(name.split()[1]): values[part == name] for name in np.unique(part) if name != "test"
    }
    return folds, values[part == "test"]


def write_rows(path: Path, hashes: np.ndarray, train: np.ndarray, test: np.ndarray) -> None:
    """Write which rows were trained and tested on, by a hash of each row's content.

    Parameters
    ----------
    path : Path
    hashes : ndarray of uint64, (n,)
        See `split.row_hashes`.
    train, test : ndarray of int
        Positions into `hashes`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    parts = np.concatenate([np.repeat("train", len(train)), np.repeat("test", len(test))])
    rows = np.concatenate([train, test])
    columns = {"part": pa.array(parts).dictionary_encode(), "hash": hashes[rows]}
    pq.write_table(pa.table(columns), path, compression="zstd")
