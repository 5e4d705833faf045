"""Found by the process that writes a copy, and by it alone: kills it before one of its writes."""

import os
import signal
from functools import wraps
from typing import Any

from mlflow import MlflowClient

_call, _, _nth = os.environ["TEST_KILL_BEFORE"].partition(" ")
_left = int(_nth)
_own = getattr(MlflowClient, _call)


@wraps(_own)
def _killing(*args: Any, **given: Any) -> Any:
    global _left
    _left -= 1
    if not _left:
        os.kill(os.getpid(), signal.SIGKILL)
    return _own(*args, **given)


setattr(MlflowClient, _call, _killing)
