"""The policy: its layers, its text, and what it refuses."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.policy import Policy, load_policy
from registry.settings import TABLES
from training.errors import UserError

_SAME_FOLDER = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def policy_of(folder: Path, text: str, model: str = "churn") -> Policy:
    (folder / "policy.toml").write_text(text, encoding="utf-8")
    return load_policy(model, folder)


def refused(folder: Path, text: str) -> str:
    with pytest.raises(UserError) as caught:
        policy_of(folder, text)
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder / "policy.toml") in message
    return message


def test_default_asks_for_no_approval_and_names_no_columns(tmp_path: Path) -> None:
    policy = load_policy("churn", tmp_path)
    assert (policy.approvers, policy.approvals, policy.trainer_may_approve) == ((), 0, False)
    assert policy.gate("calibration").enforce == "off"
    assert {policy.gate(name).enforce for name in TABLES if name != "calibration"} == {"enforce"}
    assert policy.gate("fairness").columns == ()
    assert policy.gate("quality").thresholds == {}


def test_layers_override_key_by_key(tmp_path: Path) -> None:
    text = """
        approvers = ["ada", "bob"]
        [quality]
        margin = 0.02
        [quality.thresholds]
        roc_auc = 0.7
        [models.churn]
        approvals = 2
        [models.churn.quality]
        min_rows = 10
        thresholds = { accuracy = 0.6 }
        [models."a.b"]
        approvals = 1
    """
    churn, other = policy_of(tmp_path, text), policy_of(tmp_path, text, "a.b")
    assert (churn.approvals, other.approvals) == (2, 1)
    assert churn.gate("quality").margin == other.gate("quality").margin == 0.02
    assert churn.gate("quality").thresholds == {"roc_auc": 0.7, "accuracy": 0.6}
    assert (churn.gate("quality").min_rows, other.gate("quality").min_rows) == (10, 50)


def test_text_is_the_whole_policy_again(tmp_path: Path) -> None:
    names = ['Zoë \x7f"quoted"\n\\', "b"]
    names_given = f"approvers = [{', '.join(map(_quoted, names))}]"
    policy = policy_of(tmp_path, f"{names_given}\n[quality]\nthresholds = {{ rmse = 1e-9 }}")
    folder = tmp_path / "again"
    folder.mkdir()
    again = policy_of(folder, policy.text, "churn")
    assert again == policy
    assert again.approvers == tuple(names)
    assert again.gate("quality").thresholds == {"rmse": 1e-9}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[qualty]\nmargin = 0.1", ["'qualty'", "did you mean 'quality'?"]),
        ("[quality]\nmargn = 0.1", ["[quality]", "'margn'", "did you mean 'margin'?"]),
        ("[models.churn.quality]\nmargn = 1", ["[models.churn.quality]", "'margin'"]),
        ("[models.other]\napproval = 1", ["a table [models.other.approval]", "got 1"]),
        ("[models.churn.models.x]", ["[models.churn]", "'models'"]),
        ("models = 3", ["[models.NAME]", "got models = 3"]),
        ("[quality]\nmargin = '1 %'", ["quality.margin", "a number", 'got "1 %"']),
        ("[quality]\nmargin = true", ["a number", "got true"]),
        ("[quality]\nmargin = nan", ["a number", "got nan"]),
        ("[quality]\nmargin = 1.5", ["quality.margin", "0 to 1", "got 1.5"]),
        ("[quality]\nmin_rows = 2.5", ["a whole number", "got 2.5"]),
        ("[quality]\nmin_rows = 0", ["at least 1", "got 0"]),
        ("[slices]\nenforce = 'warning'", ["slices.enforce", "did you mean 'warn'?"]),
        ("[quality.thresholds]\nroc_au = 0.5", ["'roc_au'", "did you mean 'roc_auc'"]),
        ("[slices]\ncolumns = 'region'", ["a list of names in quotes", 'got "region"']),
        ("[slices]\ncolumns = ['a', 'a']", ["each name once"]),
        ("[slices]\ncolumns = ['a', 1]", ["a list of names"]),
        ("approvals = 1", ["approvers", "approvals = 1", "got 0"]),
        ("approvers = ['ada']\n[quality]\napprovals = 1", ["at the top", "[quality]"]),
        ("lineage = 'off'", ["a table [lineage]", 'got "off"']),
        ("[lineage]\nallow_dirty = 1", ["true or false", "got 1"]),
        ("[freshness]\nmax_days = 2020-01-01", ["a number", "got 2020-01-01"]),
    ],
)
def test_wrong_policy_is_refused_with_what_is_right(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    message = refused(tmp_path, text)
    assert not [word for word in words if word not in message], message


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("approvals = 1\n[quality\nmargin = 1", "line 2, column 9"),
        ("[quality]\nmargin = ", "line 2, column 10"),
        ("approvals = 1\napprovals = 2", "line 2, column 14"),
        ("[quality]\nenforce = 'warn", "line 2, column 16"),
        ("a = " + "[" * 5_000, "lists within lists"),
    ],
)
def test_what_is_not_toml_is_placed(tmp_path: Path, text: str, place: str) -> None:
    assert place in refused(tmp_path, text)


def test_other_encodings_are_placed(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_bytes("approvals = 0\napprovers = ['Zo\xeb']".encode("latin-1"))
    with pytest.raises(UserError, match=r"UTF-8 .* line 2"):
        load_policy("churn", tmp_path)
    file.write_bytes("approvals = 0".encode("utf-8-sig"))
    assert load_policy("churn", tmp_path).approvals == 0


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").mkdir()
    with pytest.raises(UserError, match="expected a policy at"):
        load_policy("churn", tmp_path)


_WORDS = st.sampled_from(["quality", "enforce", "margin", "models", "churn", "approvers", "xyz"])
_VALUES = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.booleans(),
    st.sampled_from(["warn", "off", "a"]),
    st.lists(st.sampled_from(["a", "b"]), max_size=2),
)
_KEYS = st.lists(_WORDS, min_size=1, max_size=4).map(".".join)


@_SAME_FOLDER
@given(lines=st.lists(st.tuples(_KEYS, _VALUES), max_size=4))
def test_any_toml_is_a_policy_or_refused(tmp_path: Path, lines: list[tuple[str, Any]]) -> None:
    shown = {True: "true", False: "false"}
    text = "\n".join(
        f"{key} = {shown[value] if isinstance(value, bool) else repr(value)}"
        for key, value in lines
    )
    _loads_or_refuses(tmp_path, text)


@_SAME_FOLDER
@given(text=st.one_of(st.text(max_size=40), st.text(alphabet="[]{}=.'\"\n#a1,\\", max_size=30)))
def test_any_text_is_a_policy_or_refused(tmp_path: Path, text: str) -> None:
    _loads_or_refuses(tmp_path, text)


def _loads_or_refuses(folder: Path, text: str) -> None:
    (folder / "policy.toml").write_text(text, encoding="utf-8", errors="replace", newline="")
    try:
        policy = load_policy("churn", folder)
    except UserError as error:
        message = str(error)
    else:
        assert set(tomllib.loads(policy.text)) >= set(TABLES)
        return
    assert str(folder / "policy.toml") in message


def _quoted(name: str) -> str:
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\x7f": "\\u007f"}
    return f'"{"".join(escapes.get(letter, letter) for letter in name)}"'
