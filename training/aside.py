"""A function called in a process of its own, with what the fork server has imported already."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from typing import Any


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
