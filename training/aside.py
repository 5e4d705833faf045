"""A function called in a process of its own, with what the fork server has imported already."""

import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from typing import Any


def import_ahead(module: str) -> None:
    """Start the server that processes are forked from, once, before the first of them.

    It imports a module, which must start no thread, so that a fork is cheap and safe; meanwhile
    the caller can do other things.

    Parameters
    ----------
    module : str
        That imports what the processes need.
    """
    from multiprocessing import forkserver

    multiprocessing.set_forkserver_preload([module])
    # Python 3.11's fork server forgets its caller's `sys.path` and would skip the import silently.
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def call_aside(function: str, *arguments: Any) -> Any:
    """Call a function in a new process, and wait for what it returns.

    Parameters
    ----------
    function : str
        `module:name`. The caller's process does not import the module.
    *arguments
        Pickled.
    """
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_call, function, *arguments).result()


def _call(function: str, *arguments: Any) -> Any:
    module, _, name = function.partition(":")
    return getattr(import_module(module), name)(*arguments)
