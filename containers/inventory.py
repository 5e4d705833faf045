"""Prints, as JSON, packages with their licences: usage: inventory.py FOLDER …"""

import json
import sys
from importlib.metadata import Distribution, distributions

#: What packages write where they have no SPDX expression.
_SPDX = {
    "apache 2.0": "Apache-2.0",
    "apache-2.0": "Apache-2.0",
    "mpl-2.0": "MPL-2.0",
    "mit": "MIT",
    "mit license": "MIT",
    "3-clause bsd license": "BSD-3-Clause",
}


def licence(package: Distribution) -> str:
    """An SPDX expression; `LicenseRef-…` for a licence that has no entry above."""
    said = package.metadata
    if "License-Expression" in said:
        return said["License-Expression"]
    text = said["License"].strip().splitlines()[0] if "License" in said else "unknown"
    reference = "".join(c if c.isalnum() else "-" for c in text)
    return _SPDX.get(text.lower(), f"LicenseRef-{reference}")


if __name__ == "__main__":
    found = [
        {"name": package.name, "version": package.version, "licence": licence(package)}
        for package in distributions(path=sys.argv[1:])
    ]
    print(json.dumps(sorted(found, key=lambda item: item["name"]), indent=1))
