"""Model cards: what was trained, on what, how well, and how to use it, as Markdown.

Column names, labels and reasons come from users' tables and are escaped, so that `a|b`, `<img>` or
`*x*` read as they are written, in MLflow's UI and elsewhere.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from training.evaluate import METRICS
from training.lettering import number, size
from training.markdown import bullets, escape, pairs, python, table

if TYPE_CHECKING:
    from training.schema import Schema

#: Longer lists are cut: MLflow refuses a description of more than 100,000 characters.
_MOST_ROWS, _MOST_CLASSES = 40, 12

_TASKS = {
    "regression": "a number",
    "binary": "one of two classes",
    "multiclass": "one of several classes",
}
_EVALUATION = """\
The configurations of each candidate were compared by cross-validation on the training rows; the
preprocessing was fitted inside each fold. Candidates are in the order of their mean over the folds.
Each was then fitted on all training rows and scored once on the test rows, which no search had
seen. The intervals hold 95% of bootstrap samples of the test rows; `=` marks the candidates that a
paired bootstrap cannot tell from the best."""
_CAVEATS = (
    "The scores hold for rows that come like the test rows. They say nothing of rows from another "
    "time, place or population.",
    "The best of several candidates is chosen by its score, which flatters it a little.",
)


def parent_card(
    leaderboard: Mapping[str, Any],
    schema: "Schema",
    notes: Sequence[str],
    facts: Mapping[str, str],
    params: Mapping[str, Any] | None = None,
) -> str:
    """The card of a whole training.

    Parameters
    ----------
    leaderboard : mapping
        As `sixfold leaderboard --json` prints it, with `baseline` or not.
    schema : Schema
    notes : sequence of str
        Sentences on the table: what was dropped or counted, leaks.
    facts : mapping of str to str
        How it was made, in the order shown: source, folds, budget, seed, commit, image, versions.
    params : mapping, optional
        The configuration of the best candidate.

    Returns
    -------
    str
        Markdown.
    """
    rows = leaderboard["candidates"]
    finished = [row for row in rows if row["status"] == "finished"]
    best = finished[0] if finished else None
    parts = [
        f"# {escape(schema.target.name)}",
        _summary(leaderboard, schema, finished),
        "## Data",
        _data(schema),
        *_columns(schema),
        "## Leaderboard",
        _scores(leaderboard, finished),
        *_absent(rows),
        "## Selection and evaluation",
        _evaluation(schema),
        *_parameters(params, "## Parameters of the best candidate"),
        "## Caveats",
        bullets([*notes, *_CAVEATS]),
        *(_usage(best.get("model_uri"), schema.task) if best else ()),
        *_facts(facts),
    ]
    return "\n\n".join(parts) + "\n"


def candidate_card(
    row: Mapping[str, Any],
    leaderboard_facts: Mapping[str, Any],
    params: Mapping[str, Any],
    notes: Sequence[str],
) -> str:
    """The card of one candidate.

    Parameters
    ----------
    row : mapping
        Its row of the leaderboard. `run_id` and `model_uri` may be None still.
    leaderboard_facts : mapping
        The leaderboard's `task` and `metric`; shown where given: `rows`, `target`, `fingerprint`,
        `run_id` (of the parent) and `baseline`.
    params : mapping
        The configuration that won.
    notes : sequence of str

    Returns
    -------
    str
        Markdown.
    """
    given, metric = leaderboard_facts, leaderboard_facts["metric"]
    goal = _TASKS[given["task"]]
    target = f" {escape(given['target'])}," if given.get("target") else ""
    engine = f" with the engine `{row['engine']}`" if row.get("engine") else ""
    about = [
        ("Rows", f"{given['rows']:,}" if given.get("rows") is not None else None),
        ("Table fingerprint", _code(given.get("fingerprint"))),
        ("Parent run", _code(given.get("run_id"))),
    ]
    parts = [
        f"# {escape(row['name'])}",
        f"`{row['algorithm']}`{engine}, tuned by Sixfold to predict{target} {goal}.",
        *pairs("Fact", about),
        "## Scores",
        _scores(given, [row]),
        f"{_direction(metric)} The test score is of rows that no search had seen, looked at once; "
        "its interval holds 95% of bootstrap samples of those rows.",
        *_parameters(params, "## Parameters"),
        "## Caveats",
        bullets([*notes, *_CAVEATS]),
        *_usage(row.get("model_uri"), given["task"]),
    ]
    return "\n\n".join(parts) + "\n"


def _summary(
    leaderboard: Mapping[str, Any], schema: "Schema", finished: Sequence[Mapping[str, Any]]
) -> str:
    goal = _TASKS[schema.task]
    said = f"Models that predict {escape(schema.target.name)}, {goal}, trained by Sixfold."
    if not finished:
        return f"{said} No candidate finished."
    best, metric = finished[0], leaderboard["metric"]
    said += (
        f" The best of {len(finished)} is **{escape(best['name'])}** with `{metric}` "
        f"{_test(best)} on the test rows"
    )
    baseline = (leaderboard.get("baseline") or {}).get("test")
    said += (
        f"; a dummy that ignores the features has {number(baseline)}."
        if baseline is not None
        else "."
    )
    tied = sum(bool(row.get("tied_with_best")) for row in finished[1:])
    if tied:
        said += f" {tied} more cannot be told from it."
    return f"{said} {_direction(metric)}"


def _data(schema: "Schema") -> str:
    kinds = Counter(column.kind for column in schema.columns if column.kind != "dropped")
    used = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
    missing = [column for column in schema.columns if column.kind != "dropped" and column.missing]
    facts = [
        ("Rows", f"{schema.rows:,}"),
        ("Columns used", f"{kinds.total():,}" + (f" ({used})" if used else "")),
        ("Columns with missing values", f"{len(missing):,}"),
        ("Counts as missing too", escape(schema.na_values) or None),
        ("Target", escape(schema.target.name)),
        ("Classes", _classes(schema.target.classes)),
        ("Rows kept together by", escape(schema.group) if schema.group else None),
        ("Rows in order of", escape(schema.time) if schema.time else None),
        ("Fingerprint", _code(schema.fingerprint)),
    ]
    return "\n".join(pairs("Fact", facts))


def _classes(classes: Sequence[object] | None) -> str | None:
    if not classes:
        return None
    shown = ", ".join(escape(label) for label in classes[:_MOST_CLASSES])
    more = len(classes) - _MOST_CLASSES
    return f"{len(classes):,}: {shown}" + (f" and {more:,} more" if more > 0 else "")


def _columns(schema: "Schema") -> Iterable[str]:
    """Which columns were dropped or read as something else than they look like, and why."""
    told = [column for column in schema.columns if column.kind == "dropped" or column.why]
    if told:
        rows = [(escape(c.name), c.kind, escape(c.why)) for c in told[:_MOST_ROWS]]
        yield table(("Column", "Taken as", "Why"), rows)
    if len(told) > _MOST_ROWS:
        yield f"… and {len(told) - _MOST_ROWS:,} more, in `schema.json`."


def _scores(leaderboard: Mapping[str, Any], finished: Sequence[Mapping[str, Any]]) -> str:
    metric = escape(leaderboard["metric"])
    rows = [
        (
            escape(row["name"]) + (" =" if row.get("tied_with_best") else ""),
            f"{number(row['cv_mean'])} ± {number(row['cv_std'])}",
            _test(row),
            _with(row["fit_seconds"], "{:.2f} s"),
            _with(row["predict_seconds_per_row"], "{:.2f} ms", 1_000),
            "" if row["model_bytes"] is None else size(row["model_bytes"]),
        )
        for row in finished
    ]
    if baseline := leaderboard.get("baseline"):
        rows.append(
            ("dummy baseline", number(baseline.get("cv_mean")), _test(baseline), "", "", "")
        )
    header = ("Candidate", f"CV {metric}", f"Test {metric} (95%)", "Fit", "Predict a row", "Size")
    return table(header, rows)


def _absent(rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    absent = [row for row in rows if row["status"] != "finished"]
    if absent:
        cells = [
            (escape(row["name"]), row["status"].replace("_", " "), escape(row.get("reason") or ""))
            for row in absent
        ]
        yield table(("Without a score", "Status", "Reason"), cells)


def _evaluation(schema: "Schema") -> str:
    if schema.group:
        how = f"No value of {escape(schema.group)} is on both sides of a split."
    elif schema.time:
        how = (
            f"Splits go forward in {escape(schema.time)}: later rows test what earlier rows taught."
        )
    elif schema.task == "regression":
        how = "Rows were split at random."
    else:
        how = "Rows were split at random, with the classes in proportion."
    return f"{_EVALUATION}\n{how}"


def _parameters(params: Mapping[str, Any] | None, heading: str) -> Iterable[str]:
    if params:
        yield heading
        yield from pairs("Parameter", ((escape(k), escape(v)) for k, v in params.items()))


def _usage(model_uri: str | None, task: str) -> Iterable[str]:
    lines = [
        "import mlflow",
        "import pandas as pd",
        "",
        f'model = mlflow.pyfunc.load_model("{model_uri or "models:/<model id>"}")',
        'rows = pd.read_csv("rows.csv")  # columns as in training, the target not needed',
        "model.predict(rows)",
    ]
    if task != "regression":
        lines.append('model.predict(rows, params={"predict_method": "predict_proba"})')
    yield "## Use"
    if not model_uri:
        yield "The model's id is on this run's page, under its logged models."
    yield python(lines)


def _facts(facts: Mapping[str, str]) -> Iterable[str]:
    if facts:
        yield "## How it was made"
        yield from pairs("Fact", ((escape(k), escape(v)) for k, v in facts.items()))


def _direction(metric: str) -> str:
    known = METRICS.get(metric)
    if known is None:
        return ""
    return f"{'More' if known.greater_is_better else 'Less'} `{metric}` is better."


def _test(row: Mapping[str, Any]) -> str:
    low, high = row.get("test_low"), row.get("test_high")
    interval = "" if low is None or high is None else f" ({number(low)} to {number(high)})"
    return number(row.get("test")) + interval


def _with(value: float | None, form: str, scale: float = 1) -> str:
    return "" if value is None else form.format(scale * value)


def _code(identifier: str | None) -> str | None:
    return f"`{identifier}`" if identifier else None
