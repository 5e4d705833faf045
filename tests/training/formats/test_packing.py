"""Packed files are read by what they are, and equal their unpacked twins."""

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from training.errors import UserError
from training.formats import bare_name, read_file
from training.hashing import fingerprint
from training.missing import parse_missing

_MISSING = parse_missing("")


def _zip(data: bytes) -> bytes:
    import io

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/", b"")
        archive.writestr("folder/table.csv", data)
        archive.writestr("__MACOSX/._table.csv", b"junk")
    return buffer.getvalue()


def _zst(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


_PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": _zst,
    ".zip": _zip,
}


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame({"a": range(500), "b": [f"t{i}\n" for i in range(500)], "c": 0.1})


def _files(frame: pd.DataFrame, folder: Path) -> dict[str, Path]:
    paths = {form: folder / f"t.{form}" for form in ("csv", "tsv", "parquet", "feather", "jsonl")}
    frame.to_csv(paths["csv"], index=False)
    frame.to_csv(paths["tsv"], index=False, sep="\t")
    frame.to_parquet(paths["parquet"])
    frame.to_feather(paths["feather"])
    frame.to_json(paths["jsonl"], orient="records", lines=True)
    return paths


def test_every_format_in_every_packing_has_the_same_content(
    tmp_path: Path, frame: pd.DataFrame
) -> None:
    found = {}
    for form, path in _files(frame, tmp_path).items():
        found[form] = fingerprint(read_file(path, _MISSING, form)[0])
        for ending, pack in _PACKINGS.items():
            packed = tmp_path / f"{path.name}{ending}"
            packed.write_bytes(pack(path.read_bytes()))
            read = read_file(packed, _MISSING, packed.name)[0]
            found[packed.name] = fingerprint(read)
    assert len(found) == 30
    assert set(found.values()) == {fingerprint(frame)}


def test_a_name_without_or_with_the_wrong_packing_does_not_matter(
    tmp_path: Path, frame: pd.DataFrame
) -> None:
    paths = _files(frame, tmp_path)
    unpacked = tmp_path / "really.csv.gz"
    unpacked.write_bytes(paths["csv"].read_bytes())
    assert read_file(unpacked, _MISSING, "x")[0].shape == (500, 3)
    for form, path in paths.items():
        nameless = tmp_path / f"blob-{form}"
        nameless.write_bytes(gzip.compress(path.read_bytes()))
        assert read_file(nameless, _MISSING, "x")[0].shape == (500, 3)


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zst", ".zip"])
@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_a_truncated_packed_file_is_one_line(
    tmp_path: Path, frame: pd.DataFrame, form: str, ending: str
) -> None:
    whole = _PACKINGS[ending](_files(frame, tmp_path)[form].read_bytes())
    path = tmp_path / f"cut.{form}{ending}"
    for length in (len(whole) // 2, len(whole) - 5, 12):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError) as error:
            read_file(path, _MISSING, path.name)
        assert path.name in str(error.value)
        assert "\n" not in str(error.value)


def test_a_zip_of_several_files_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "two.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "x,y\n1,2\n")
        archive.writestr("b.csv", "x,y\n1,2\n")
    with pytest.raises(UserError, match="expected one file inside the zip, got 2"):
        read_file(path, _MISSING, "two.zip")


def test_names_without_the_packing() -> None:
    assert str(bare_name(Path("/data/a.b.csv.gz"))) == "a.b.csv"
    assert str(bare_name(Path("a.parquet"))) == "a.parquet"
