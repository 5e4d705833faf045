"""LightGBM's OpenMP where the system has none: images of Python that are slim lack `libgomp`.

LightGBM's package needs the system's `libgomp.so.1`; scikit-learn's brings a copy of its own under
another name. The loader takes a library that is loaded already for one that is needed if it is
called the same inside (its SONAME): so the copy is loaded once more, under the name that LightGBM
asks for. Nothing is written anywhere.
"""

import ctypes
import os
import re
from importlib.util import find_spec
from pathlib import Path

_NEEDED = b"libgomp.so.1"
_OWN_NAME = re.compile(rb"\0libgomp-[0-9a-f]+\.so[.0-9]*\0")


def provide_openmp() -> bool:
    """Make `libgomp.so.1` there for this process, if the system has none.

    Returns
    -------
    bool
        Whether it is there.
    """
    if _loads(_NEEDED.decode()):
        return True
    return any(_loads_renamed(copy) for copy in _copies())


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return False
    return True


def _copies() -> list[Path]:
    spec = find_spec("sklearn")
    if spec is None or not spec.origin:
        return []
    packages = Path(spec.origin).parent.parent
    return sorted(packages.glob("scikit_learn.libs/libgomp*"))


def _loads_renamed(copy: Path) -> bool:
    """Load a library as if it were called `libgomp.so.1` inside, from memory."""
    content = copy.read_bytes()
    found = _OWN_NAME.search(content)
    if found is None:
        return False
    name = b"\0" + _NEEDED
    renamed = content[: found.start()] + name.ljust(len(found[0]), b"\0") + content[found.end() :]
    descriptor = os.memfd_create(_NEEDED.decode())
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(renamed)
        return _loads(f"/proc/self/fd/{descriptor}") and _loads(_NEEDED.decode())
    finally:
        os.close(descriptor)
