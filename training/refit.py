"""The last steps of all candidates, side by side: refit on all training rows, test, draw, save."""

import time
from collections.abc import Iterator, Mapping
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from training.contender import Contender, Options
from training.finish import Finish, Finished
from training.search import Tuned
from training.worker import Failure

#: A refit may take this many budgets, and ten minutes in any case.
_BUDGETS = 10
_LEAST_SECONDS = 600.0


def refit(
    contenders: list[Contender],
    tuned: Mapping[str, Tuned | Failure],
    options: Options,
    folder: Path,
) -> Iterator[tuple[str, Finished | Failure]]:
    """Refit and test each tuned candidate; yields them as they are done.

    Parameters
    ----------
    contenders : list of Contender
        Their processes, where they live, are used and ended.
    tuned : mapping of candidate to Tuned or Failure
    options : Options
    folder : Path
        A candidate's files go into a folder of its name in it.
    """
    patience = max(_LEAST_SECONDS, _BUDGETS * options.budget)
    waiting = [c for c in contenders if isinstance(tuned[c.name], Tuned)]
    # The longest first, so that none is left running alone at the end.
    waiting.sort(key=lambda contender: contender.fold_seconds())
    active: dict[Any, tuple[Contender, float]] = {}
    done: list[tuple[Contender, Finished | Failure]] = []
    while waiting or active or done:
        while waiting and len(active) < options.slots:
            contender = waiting.pop()
            item = tuned[contender.name]
            assert isinstance(item, Tuned)
            worker = contender.connection()
            worker.send(Finish(item.params, item.predictions, folder / contender.name, item.limit))
            active[worker.connection] = (contender, time.monotonic() + patience)
        # Only now, with all slots at work again: the caller takes time to record a candidate.
        for contender, result in done:
            yield contender.name, result
        done = []
        for ready in wait(list(active), timeout=1.0) if active else ():
            contender, _ = active.pop(ready)
            assert contender.worker is not None
            done.append((contender, contender.worker.receive()))
            contender.stop()
        for connection, (contender, deadline) in list(active.items()):
            if time.monotonic() > deadline:
                del active[connection]
                late = f"the refit on all rows took more than {patience:.0f} s; raise the budget"
                done.append((contender, Failure(late)))
                contender.stop()
