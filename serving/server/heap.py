"""Memory that was freed goes back to the machine."""

import ctypes
from contextlib import suppress


def give_back() -> None:
    """Return what importing and loading took and no longer need: some megabytes.

    The C library keeps freed memory for later; a server that has started asks for little more.
    """
    with suppress(OSError, AttributeError):  # of another C library than GNU's
        ctypes.CDLL(None).malloc_trim(0)
