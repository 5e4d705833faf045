"""scikit-learn's bundled data sets, as `sklearn:NAME`."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from training.errors import UserError, nearest

_NAMES = ("breast_cancer", "iris", "wine", "digits", "diabetes", "linnerud")


@dataclass(frozen=True)
class Bundled:
    """A table that comes without a file and knows its target."""

    frame: pd.DataFrame
    target: str


def load(source: str, _: Path) -> Bundled:
    """Load a set; classes get their names, and of several targets the first is the target.

    Raises
    ------
    UserError
        No set has that name.
    """
    from sklearn import datasets

    name = source.partition(":")[2].removeprefix("//").strip()
    if name not in _NAMES:
        raise UserError(f"expected a bundled set, got sklearn:{name}; {nearest(name, _NAMES)}")
    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    values = bunch.target if isinstance(bunch.target, pd.Series) else bunch.target.iloc[:, 0]
    classes = bunch.get("target_names")
    if values.name == "target" and classes is not None:
        values = pd.Series(classes[values.to_numpy()], name="target")
    return Bundled(bunch.data.assign(**{str(values.name): values}), str(values.name))
