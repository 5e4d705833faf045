"""What deploying to Docker keeps on this machine, for a user who is not root."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.deploy.state import State
from tests.serving.deploy.nobody import folder_of_nobody
from training.errors import UserError


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that states are kept in, of a user who is not root."""
    with folder_of_nobody() as folder:
        monkeypatch.setenv("XDG_STATE_HOME", str(folder))
        yield folder


def test_the_same_token_is_kept_once_more(home: Path) -> None:
    """By the file that containers have mounted: another one in its place would not be theirs."""
    with State("sixfold-churn") as state:
        path = state.keep_token("abc")
        inode = path.stat().st_ino
        assert state.keep_token("abc") == path
        assert path.stat().st_ino == inode
        assert path.stat().st_mode & 0o777 == 0o444
        assert path.parent.stat().st_mode & 0o777 == 0o700
        other = state.keep_token("def")
        assert (path.read_text(), other.read_text()) == ("abc", "def")
        state.forget_tokens(but=other)
        assert sorted(item.name for item in path.parent.iterdir()) == ["lock", other.name]


def test_a_token_that_was_written_in_part_is_written_anew(home: Path) -> None:
    with State("sixfold-churn") as state:
        path = state.keep_token("abc")
        for left in (path, path.with_name(f"{path.name}.part")):
            left.unlink(missing_ok=True)
            left.write_text("a")
            left.chmod(0o444)
        assert state.keep_token("abc").read_text() == "abc"
        state.forget_tokens()
        assert [item.name for item in path.parent.iterdir()] == ["lock"]


def test_a_folder_that_cannot_be_made(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.chmod(0o500)
    for place in ("/proc/nowhere", home):
        monkeypatch.setenv("XDG_STATE_HOME", str(place))
        with pytest.raises(UserError, match=r"to keep tokens in, got .*sixfold-churn: .*set XDG_"):
            State("sixfold-churn").__enter__()


def test_a_relative_folder_is_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The specification has it ignored: it would be another one in each folder."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    monkeypatch.setenv("HOME", str(home))
    with State("sixfold-churn"):
        assert (home / ".local" / "state" / "sixfold" / "sixfold-churn").is_dir()
    assert not (home / "state").exists()
