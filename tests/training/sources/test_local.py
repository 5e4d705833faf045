"""Local paths and addresses in general."""

from pathlib import Path

import pytest

from training.errors import UserError
from training.sources import without_credentials
from training.table import read_table


def _table(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a,b\n1,2\n")
    return path


@pytest.mark.parametrize("name", ["t.csv", "größe <1>.csv", "a:b.csv", "s3:x.csv", "a b/c%20d.csv"])
def test_any_file_name(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _table(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(read_table(str(path)).frame) == 1
    assert len(read_table(f"./{name}").frame) == 1
    if ":" not in name.partition("/")[0] or name.startswith("a:"):
        assert len(read_table(name).frame) == 1
    assert len(read_table(path.as_uri()).frame) == 1


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    _table(tmp_path / "t.csv")
    assert len(read_table("~/t.csv").frame) == 1


@pytest.mark.parametrize("name", ["~$x.csv", "~no such user/x.csv"])
def test_a_tilde_that_is_nobodys(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="got '~"):
        read_table(name)
    _table(tmp_path / name)
    assert len(read_table(name).frame) == 1


def test_a_missing_file_and_its_neighbours(tmp_path: Path) -> None:
    _table(tmp_path / "churn.csv")
    with pytest.raises(UserError, match=r"which is not there; did you mean 'churn\.csv'"):
        read_table(str(tmp_path / "chrun.csv"))
    with pytest.raises(UserError, match=r"which is not there$"):  # not what else is there
        read_table(str(tmp_path / "quite another"))
    with pytest.raises(UserError, match="there is no folder"):
        read_table(str(tmp_path / "data" / "churn.csv"))


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="got the folder"):
        read_table(str(tmp_path))


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.symlink_to(path)
    with pytest.raises(UserError, match="Too many levels of symbolic links"):
        read_table(str(path))


@pytest.mark.parametrize("source", ["gs://bucket/t.csv", "ftp://host/t.csv", "dbfs://x/t.csv"])
def test_an_unknown_scheme(source: str) -> None:
    with pytest.raises(UserError, match="one of sklearn:, s3:, http:, https:, runs:"):
        read_table(source)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (
            "https://user:secret@host:8080/a/t.csv?X-Amz-Signature=secret#x",
            "https://host:8080/a/t.csv",
        ),
        ("HTTPS://user@host/t.csv", "HTTPS://host/t.csv"),
        ("s3://bucket/a?b#c@d.csv", "s3://bucket/a?b#c@d.csv"),
        ("s3://key:secret@bucket/t.csv", "s3://bucket/t.csv"),
        ("data/a?b@c.csv", "data/a?b@c.csv"),
        ("sklearn:iris", "sklearn:iris"),
        ("mlflow-artifacts://user:secret@host/1/t.csv", "mlflow-artifacts://host/1/t.csv"),
    ],
)
def test_credentials_are_not_shown(source: str, shown: str) -> None:
    assert without_credentials(source) == shown
