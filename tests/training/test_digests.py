"""Digests tell a copy from anything else."""

from pathlib import Path

from training.digests import digest_of, file_digests


def _tree(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_a_copy_has_the_same_digests(tmp_path: Path) -> None:
    files = {"MLmodel": "a", "data/model/schema.json": "{}"}
    one, other = _tree(tmp_path / "one", files), _tree(tmp_path / "other", files)
    assert file_digests(one) == file_digests(other)
    assert list(file_digests(one)) == ["MLmodel", "data/model/schema.json"]


def test_any_change_is_another_digest(tmp_path: Path) -> None:
    files = {"MLmodel": "a", "b": "b"}
    original = digest_of(file_digests(_tree(tmp_path / "original", files)))
    changes = [{"MLmodel": "a"}, files | {"b": "c"}, files | {"c": ""}, {"MLmodel": "a", "d": "b"}]
    for place, changed in enumerate(changes):
        folder = _tree(tmp_path / str(place), changed)
        assert digest_of(file_digests(folder)) != original


def test_what_mlflow_writes_on_registration_does_not_count(tmp_path: Path) -> None:
    before = file_digests(_tree(tmp_path, {"MLmodel": "a"}))
    assert file_digests(_tree(tmp_path, {"registered_model_meta": "version: 7"})) == before
