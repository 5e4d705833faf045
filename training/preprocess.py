"""The two ways feature rows are prepared inside a pipeline, from scikit-learn's parts only.

Rows come from `features.conform`: numbers, dates' parts and booleans as float64, categories as
codes with NaN for missing, text as strings. What is fitted here is fitted inside each fold.
"""

import re
from typing import Any

import numpy as np

from training.problem import HIGH_CARDINALITY, Problem

#: Types in `scaled` that skops does not trust by itself; `ordinal` has none.
SCALED_TYPES = ("numpy.dtype",)

_TEXT_COMPONENTS = 32
_VOCABULARY = 20_000
_WORD = r"(?u)\b\w+\b"
_MARK = r"(?u)\S"  # where a column has no words
_ENCODER_ROWS = 20


def scaled(problem: Problem) -> Any:
    """Imputed, standardised and one-hot: for linear models and support vector machines."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
    )
    codes = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=_min_frequency(problem)
    )
    levels = make_pipeline(_target_encoder(problem), StandardScaler())
    return ColumnTransformer(
        [
            *_part("numeric", numbers, problem.positions("numeric")),
            *_part("categorical", codes, problem.positions("categorical", False)),
            *_part("high_cardinality", levels, problem.positions("categorical", True)),
            *_texts(problem),
        ]
    )


def ordinal(problem: Problem, native: int = HIGH_CARDINALITY) -> Any:
    """Unscaled numbers and category codes: for trees, forests and boosting.

    Parameters
    ----------
    problem : Problem
    native : int, default 50
        Leave the codes of up to so many levels to the model; target-encode categories of more.

    Returns
    -------
    transformer or 'passthrough'
        Its output has numbers first, then codes (see `code_positions`).
    """
    from sklearn.compose import ColumnTransformer

    low, high = _low_high(problem, native)
    if not high and not problem.positions("text"):
        return "passthrough"
    return ColumnTransformer(
        [
            *_part("numeric", "passthrough", problem.positions("numeric")),
            *_part("categorical", "passthrough", low),
            *_part("high_cardinality", _target_encoder(problem), high),
            *_texts(problem),
        ]
    )


def code_positions(problem: Problem, native: int = HIGH_CARDINALITY) -> list[int]:
    """Where `ordinal`'s output holds category codes."""
    low, high = _low_high(problem, native)
    if not high and not problem.positions("text"):
        return low
    start = len(problem.positions("numeric"))
    return list(range(start, start + len(low)))


def _low_high(problem: Problem, native: int) -> tuple[list[int], list[int]]:
    """Categorical features of up to so many levels, and of more."""
    every = problem.positions("categorical")
    low = [at for at in every if problem.features[at].levels <= native]
    return low, sorted(set(every) - set(low))


def _part(name: str, transformer: Any, positions: list[int]) -> list[tuple[str, Any, list[int]]]:
    return [(name, transformer, positions)] if positions else []


def _min_frequency(problem: Problem) -> int | None:
    return 10 if problem.rows >= 1_000 else None


def _target_encoder(problem: Problem) -> Any:
    from sklearn.preprocessing import TargetEncoder

    # Not the task: a fit on few rows may see two classes of three, which 'multiclass' fails on.
    target_type = "auto" if problem.classification else "continuous"
    # In every fold there must be a class of as many rows as there are parts.
    few = problem.classification and np.bincount(problem.y).max() < _ENCODER_ROWS
    return TargetEncoder(target_type=target_type, cv=2 if few else 5, random_state=problem.seed)


def _texts(problem: Problem) -> list[tuple[str, Any, int]]:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    parts = []
    for position in problem.positions("text"):
        token = _WORD
        found = _tokens(problem, position, token)
        if not found:
            token = _MARK
            found = _tokens(problem, position, token)
        # SVD refuses more components than the vocabulary holds, and a fold's is smaller.
        components = max(1, min(_TEXT_COMPONENTS, len(found) // 8))
        steps = make_pipeline(
            TfidfVectorizer(max_features=_VOCABULARY, sublinear_tf=True, token_pattern=token),
            TruncatedSVD(components, random_state=problem.seed),
        )
        parts.append((f"text_{position}", steps, position))
    return parts


def _tokens(problem: Problem, position: int, pattern: str) -> set[str]:
    """Tokens of a text feature, as many as it takes to know that there are enough."""
    tokens: set[str] = set()
    for text in problem.X.iloc[:2_000, position]:
        tokens.update(re.findall(pattern, text.lower()))
        if len(tokens) >= 8 * _TEXT_COMPONENTS:
            break
    return tokens
