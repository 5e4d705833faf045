"""scikit-learn's bundled sets."""

import pytest

from training.errors import UserError
from training.table import read_table


@pytest.mark.parametrize(
    ("name", "rows", "target", "first"),
    [
        ("breast_cancer", 569, "target", "malignant"), ("iris", 150, "target", "setosa"),
        ("wine", 178, "target", "class_0"), ("digits", 1797, "target", 0),
        ("diabetes", 442, "target", 151.0), ("linnerud", 20, "Weight", 191.0),
    ],
)  # fmt: skip
def test_sets_know_their_target(name: str, rows: int, target: str, first: object) -> None:
    table = read_table(f"sklearn:{name}")
    assert (table.name, table.source, table.target) == (name, f"sklearn:{name}", target)
    assert len(table.frame) == rows
    assert table.frame[target][0] == first


def test_an_unknown_set() -> None:
    with pytest.raises(UserError, match=r"did you mean 'breast_cancer'"):
        read_table("sklearn:brest_cancer")
    with pytest.raises(UserError, match="valid: breast_cancer, iris"):
        read_table("sklearn:housing")
