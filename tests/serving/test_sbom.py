"""The list of what is in an image, of the files that the image has."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from registry.version import Version
from serving import sbom as sboms
from serving.base import INVENTORY
from serving.labels import LICENCES, PATH, VERSION
from serving.pipeline_image import MODEL_INVENTORY
from serving.sbom import check_file, file_name, sbom
from tests.registry.facts import NOW
from training.errors import UserError

_STATUS = "/var/lib/dpkg/status"
_SYSTEM = "Package: libc6\nStatus: installed\nArchitecture: amd64\nVersion: 2.36-9\n"
_OWN_PYTHON = "\nPackage: python3.11-minimal\nArchitecture: amd64\nVersion: 3.11.2-6\n"


def package(name: str, version: str, licence: str) -> dict[str, Any]:
    said = {"expression": licence, "licence": "", "is_text": False, "classifiers": []}
    return {"name": name, "version": version, **said}


def inventory(*packages: dict[str, Any]) -> bytes:
    return json.dumps({"python": "3.11.9", "packages": packages}).encode()


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Those of an image."""
    found = {
        INVENTORY: inventory(package("numpy", "2.4.6", "BSD-3-Clause"), package("a", "1", "MIT")),
        _STATUS: _SYSTEM.encode(),
    }
    monkeypatch.setattr(sboms, "read_file", lambda _engine, _image, path: found[path])
    return found


def listed(path: str) -> dict[str, dict[str, Any]]:
    """The components, by what they are known by."""
    labels = {VERSION: "7", LICENCES: "MIT", PATH: path}
    image = SimpleNamespace(id="sha256:ab", labels=labels)
    document = json.loads(sbom(None, image, "churn", NOW))
    assert document["metadata"]["component"]["licenses"] == [{"expression": "MIT"}]
    components = {item["purl"]: item for item in document["components"]}
    assert len(components) == len(document["components"])
    return components


def test_a_compiled_image_has_the_packages_of_its_base(files: dict[str, bytes]) -> None:
    found = listed("onnx")
    assert set(found) == {
        "pkg:deb/debian/libc6@2.36-9?arch=amd64",
        "pkg:generic/python@3.11.9",
        "pkg:pypi/a@1",
        "pkg:pypi/numpy@2.4.6",
    }
    assert found["pkg:pypi/numpy@2.4.6"]["licenses"] == [{"expression": "BSD-3-Clause"}]


def test_python_is_listed_once(files: dict[str, bytes]) -> None:
    """As one of the system's packages, or by itself where it is none of them."""
    python = listed("onnx")["pkg:generic/python@3.11.9"]
    assert python["cpe"].startswith("cpe:2.3:a:python:python:3.11.9:")
    assert python["licenses"] == [{"expression": "PSF-2.0"}]
    files[_STATUS] += _OWN_PYTHON.encode()
    names = [item["name"] for item in listed("onnx").values()]
    assert "python3.11-minimal" in names
    assert "python" not in names


@pytest.mark.parametrize("path", ["pipeline", "pyfunc"])
def test_a_models_own_packages_have_their_licences(files: dict[str, bytes], path: str) -> None:
    """One that is in the base in the same version is there once."""
    own = (package("pandas", "3.0", "BSD-3-Clause"), package("numpy", "2.4.6", "BSD-3-Clause"))
    files[MODEL_INVENTORY] = inventory(*own, package("A", "2", "LicenseRef-own"))
    found = listed(path)
    licences = {name: item.get("licenses") for name, item in found.items() if "pypi" in name}
    assert licences == {
        "pkg:pypi/a@1": [{"expression": "MIT"}],
        "pkg:pypi/a@2": [{"expression": "LicenseRef-own"}],
        "pkg:pypi/numpy@2.4.6": [{"expression": "BSD-3-Clause"}],
        "pkg:pypi/pandas@3.0": [{"expression": "BSD-3-Clause"}],
    }


@pytest.mark.parametrize(
    ("platform", "slim", "expected"),
    [
        ("linux/amd64", False, "churn-7.cdx.json"),
        ("linux/amd64", True, "churn-7-slim.cdx.json"),
        ("linux/arm64", False, "churn-7-linux-arm64.cdx.json"),
        ("linux/arm/v7", True, "churn-7-slim-linux-arm-v7.cdx.json"),
    ],
)
def test_every_image_of_a_version_has_a_list_of_its_own(
    platform: str, slim: bool, expected: str
) -> None:
    version = cast("Version", SimpleNamespace(model="churn", version="7"))
    assert file_name(version, platform, slim) == expected


@pytest.mark.parametrize(
    ("name", "said"), [("no/where.json", "No such file"), (".", "Is a directory"), ("a/b", "Not a")]
)
def test_a_file_that_cannot_be_written_to_is_said_before(
    tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / "a").write_text("there")
    with pytest.raises(UserError, match=f"with --sbom, got .*: {said}"):
        check_file(str(tmp_path / name))


def test_a_file_is_left_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "listed.json"
    check_file(str(file))
    assert not file.exists()
    link = tmp_path / "link.json"
    link.symlink_to(file)
    check_file(str(link))
    assert link.is_symlink()
    assert not file.exists()
    file.write_text("before")
    check_file(str(file))
    assert file.read_text() == "before"
