"""Prints, as JSON, Python's version and packages with what they say of their licences.

usage: inventory.py FOLDER …
"""

import json
import platform
import sys
from importlib.metadata import Distribution, distributions

_LICENCE = "License :: "
_LONGEST = 500  # what a model of somebody else requires may say anything


def described(package: Distribution) -> dict[str, object]:
    """What a package says of its licence, in whichever of three fields."""
    said = package.metadata
    lines = [line.strip() for line in (said.get("License") or "").splitlines() if line.strip()]
    classifiers = [line for line in said.get_all("Classifier") or [] if line.startswith(_LICENCE)]
    return {
        "name": package.name,
        "version": package.version,
        "expression": (said.get("License-Expression") or "")[:_LONGEST],
        "licence": lines[0][:_LONGEST] if lines else "",
        "is_text": len(lines) > 1,
        "classifiers": [line.split(" :: ")[-1][:_LONGEST] for line in classifiers],
    }


if __name__ == "__main__":
    found = [described(package) for package in distributions(path=sys.argv[1:])]
    found.sort(key=lambda item: str(item["name"]))
    print(json.dumps({"python": platform.python_version(), "packages": found}, indent=1))
