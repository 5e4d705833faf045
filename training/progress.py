"""What a person sees while a training runs: a live line in a terminal, plain lines elsewhere."""

import math
import sys
import time
from typing import Any

from training.evaluate import METRICS
from training.lettering import number

_LINE_SECONDS = 5.0


class Progress:
    """Says what is being done, for whom, how much of the budget is gone, and the best so far.

    Parameters
    ----------
    quiet : bool, default False
        Say nothing but warnings and failures.
    """

    def __init__(self, quiet: bool = False) -> None:
        from rich.console import Console

        # Standard output belongs to results (`--json`).
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._quiet = quiet
        self._live: Any = None
        self._task: Any = None
        self._budget = 0.0
        self._metric = ""
        self._best: tuple[str, float] | None = None
        self._last_line = 0.0
        self._start = time.monotonic()

    def stage(self, text: str) -> None:
        """Name the step that begins."""
        if not self._quiet:
            self._say(f"[{time.monotonic() - self._start:6.1f} s] {text}")

    def note(self, text: str) -> None:
        """Say once what the user should know of the table."""
        if not self._quiet:
            self._say(f"           · {text}")

    def warn(self, text: str) -> None:
        """Say what the user should look into."""
        self._say(f"           ! {text}", style="yellow")

    def search(self, budget: float, metric: str) -> None:
        """The search begins."""
        self._budget, self._metric, self._best = budget, metric, None
        if self._quiet or not self.console.is_terminal:
            return
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        self._live = Bar(
            TextColumn("  search"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn(f"of {budget:.0f} s  {{task.description}}"),
            console=self.console,
            transient=True,
        )
        self._task = self._live.add_task("", total=budget)
        self._live.start()

    def searched(self, elapsed: float, candidate: str, trial: int, score: float) -> None:
        """A fold is done (see `search.Listener`)."""
        better = self._is_best(score)
        if better:
            self._best = (candidate, score)
        if self._quiet:
            return
        best = (
            f"best {self._metric} {number(self._best[1])} by {self._best[0]}" if self._best else ""
        )
        state = f"trial {trial}: {number(score)}" if trial else "first configuration"
        text = f"{candidate}, {state}" + (f"; {best}" if best else "")
        if self._live:
            self._live.update(self._task, completed=min(elapsed, self._budget), description=text)
        elif better or time.monotonic() - self._last_line >= _LINE_SECONDS:
            self._last_line = time.monotonic()
            self._say(f"           {elapsed:.0f} of {self._budget:g} s: {text}")

    def searching_ends(self) -> None:
        """Take the live line away."""
        if self._live:
            self._live.stop()
            self._live = None

    def failed(self, candidate: str, reason: str) -> None:
        """A candidate is given up."""
        self.warn(f"{candidate} failed: {reason}")

    def finished(self, row: dict[str, Any]) -> None:
        """A candidate is refitted, tested and recorded."""
        if row["status"] == "finished":
            self.stage(
                f"{row['name']}: cross-validation {number(row['cv_mean'])}, test "
                f"{number(row['test'])} ({number(row['test_low'])} to {number(row['test_high'])})"
            )

    def _is_best(self, score: float) -> bool:
        if not math.isfinite(score):
            return False
        if self._best is None:
            return True
        greater = METRICS[self._metric].greater_is_better
        return score > self._best[1] if greater else score < self._best[1]

    def _say(self, text: str, style: str | None = None) -> None:
        self.console.print(text, style=style, markup=False)
        sys.stderr.flush()
