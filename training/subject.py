"""What one training is about: the same for all its runs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.schema import Schema

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Subject:
    """What is the same for all runs of one training.

    Attributes
    ----------
    name : str
        The table's short name.
    source : str
        Where it came from, without credentials.
    schema : Schema
    metric : str
        The selection metric.
    example : DataFrame
        A few rows as the user has them, the target left out.
    profile : str
        The distributions of the columns (see `profile.columns_json`).
    """

    name: str
    source: str
    schema: Schema
    metric: str
    example: "pd.DataFrame"
    profile: str
