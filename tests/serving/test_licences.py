"""What packages say of their licences, as SPDX has it."""

import json
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.licenses import canonicalize_license_expression

from serving.licences import Package, expression, read_inventory

_SCRIPT = Path(__file__).parents[2] / "containers" / "inventory.py"
_OSI = "Classifier: License :: OSI Approved ::"
_TEXT = "\n        \n        Redistribution and use in source"


def inventory(*folders: Path) -> bytes:
    """What the script prints, which runs where nothing but Python is."""
    command = [sys.executable, "-I", "-S", str(_SCRIPT), *map(str, folders)]
    return subprocess.run(command, capture_output=True, check=True).stdout


def install(folder: Path, name: str, *lines: str, version: str = "1.0") -> Path:
    """A package as pip leaves it."""
    place = folder / f"{name}-{version}.dist-info"
    place.mkdir(parents=True)
    head = ("Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}")
    (place / "METADATA").write_text("\n".join([*head, *lines, "", "Its description."]))
    return folder


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["License-Expression: MIT"], "MIT"),
        (["License-Expression: apache-2.0 or bsd-2-clause"], "Apache-2.0 OR BSD-2-Clause"),
        (["License-Expression: nobody's own"], "LicenseRef-nobody-s-own"),
        (["License-Expression: " + "(" * 5000], "LicenseRef-unknown"),
        (["License: BSD-3-Clause"], "BSD-3-Clause"),
        (["License: BSD 3-Clause"], "BSD-3-Clause"),
        (["License: 3-Clause BSD License"], "BSD-3-Clause"),
        (["License: new BSD"], "BSD-3-Clause"),
        (["License: MIT License"], "MIT"),
        (["License: The MIT License (Microsoft)"], "MIT"),
        (["License: Apache 2.0"], "Apache-2.0"),
        (["License: Apache License, Version 2.0"], "Apache-2.0"),
        (["License: Apache-2.0 AND MIT"], "Apache-2.0 AND MIT"),
        (["License: BSD 3-Clause License" + _TEXT], "BSD-3-Clause"),
        (["License: LGPL with exceptions"], "LicenseRef-LGPL-with-exceptions"),
        (["License: Lizenz für Ä"], "LicenseRef-Lizenz-f-r"),
        (["License: "], "LicenseRef-unknown"),
        (["License: UNKNOWN"], "LicenseRef-unknown"),
        ([], "LicenseRef-unknown"),
        ([f"{_OSI} MIT License"], "MIT"),
        ([f"{_OSI} Mozilla Public License 2.0 (MPL 2.0)"], "MPL-2.0"),
        ([f"{_OSI} ISC License (ISCL)"], "ISC"),
        ([f"{_OSI} Python Software Foundation License"], "PSF-2.0"),
        ([f"{_OSI} BSD License"], "LicenseRef-BSD-License"),
        (
            ["Classifier: License :: OSI Approved", "Classifier: Topic :: Text"],
            "LicenseRef-unknown",
        ),
        ([f"{_OSI} MIT License", f"{_OSI} The Unlicense (Unlicense)"], "MIT AND Unlicense"),
        (["License: ", f"{_OSI} MIT License"], "MIT"),
        (["License: UNKNOWN", f"{_OSI} MIT License"], "MIT"),
        (["License: PSFL", f"{_OSI} Python Software Foundation License"], "PSF-2.0"),
        (["License: Dual License", f"{_OSI} BSD License"], "LicenseRef-Dual-License"),
        (["License: Copyright 2001 A" + _TEXT, f"{_OSI} BSD License"], "LicenseRef-BSD-License"),
        (["License: Copyright 2001 A" + _TEXT], "LicenseRef-Copyright-2001-A"),
    ],
)
def test_a_licence_is_an_expression_of_spdx(
    tmp_path: Path, lines: list[str], expected: str
) -> None:
    (package,) = read_inventory(inventory(install(tmp_path, "a", *lines))).packages
    assert package == Package("a", "1.0", expected)
    assert canonicalize_license_expression(expected)


def test_every_package_here_has_one() -> None:
    folders = {str(item.locate_file("")) for item in distributions()}
    found = read_inventory(inventory(*map(Path, sorted(folders)))).packages
    known = [item for item in found if "LicenseRef-" not in item.licence]
    assert len(known) > 0.8 * len(found) > 50
    assert canonicalize_license_expression(expression(found))


def test_of_several_inventories_a_package_is_there_once(tmp_path: Path) -> None:
    """One that the server and a model have in the same version."""
    base = install(tmp_path / "base", "click", "License: MIT")
    own = install(tmp_path / "own", "click", "License: MIT")
    install(own, "Numpy_Like", "License: MIT", version="2.0")
    install(install(own, "click", version="9.0"), "a")
    found = read_inventory(inventory(base), inventory(own))
    assert [(item.name, item.version) for item in found.packages] == [
        ("a", "1.0"),
        ("click", "1.0"),
        ("click", "9.0"),
        ("Numpy_Like", "2.0"),
    ]
    assert found.python == "{}.{}.{}".format(*sys.version_info)
    assert "python" in json.loads(inventory(base))


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        (["MIT", "MIT"], "MIT"),
        (["Apache-2.0 OR BSD-2-Clause", "MIT"], "(Apache-2.0 OR BSD-2-Clause) AND MIT"),
        (["MPL-2.0 AND (Apache-2.0 OR MIT)"], "(Apache-2.0 OR MIT) AND MPL-2.0"),
        (["ISC OR MIT AND Zlib"], "(ISC OR MIT AND Zlib)"),
        (
            ["ISC AND (MIT AND (0BSD OR Zlib))", "GPL-2.0-only WITH GCC-exception-2.0"],
            "(MIT AND (0BSD OR Zlib)) AND GPL-2.0-only WITH GCC-exception-2.0 AND ISC",
        ),
    ],
)
def test_licences_are_one_expression(licences: list[str], expected: str) -> None:
    packages = [Package("a", "1", licence) for licence in licences]
    others = {"Apache-2.0", "PSF-2.0"}
    found = expression(packages)
    assert canonicalize_license_expression(found) == found
    parts = {part for part in found.split(" AND ") if part in others}
    assert parts == others  # of Sixfold's own code, and of Python
    for part in expected.split(" AND "):
        assert part in found
