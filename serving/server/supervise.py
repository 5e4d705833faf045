"""The parent of the workers: forks them, replaces one that dies, ends them when it is ended."""

import gc
import os
import signal
import sys
import time
from collections.abc import Callable

from serving.server.errors import where
from serving.server.heap import give_back

#: What a worker exits with that cannot serve: to start it again would not help.
UNSERVABLE = 3

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
_PAUSE = 1.0  # before a worker is replaced that died at once
_GRACE = 5.0  # beyond what draining may take


def hold_signals() -> None:
    """Have signals wait for a supervisor: process 1 of a container would miss them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


class Supervisor:
    """Keeps a number of workers running.

    Parameters
    ----------
    workers : int
    run : callable
        What a worker does, given its number; its result is the exit code.
    gone : callable
        Told the number of a worker that ended.
    ready : callable
        How many workers answer.
    seconds : float
        That draining may take.
    """

    def __init__(
        self,
        workers: int,
        run: Callable[[int], int],
        gone: Callable[[int], None],
        ready: Callable[[], int],
        seconds: float,
    ) -> None:
        self._workers = workers
        self._run = run
        self._gone = gone
        self._ready = ready
        self._seconds = seconds
        self._numbers: dict[int, int] = {}  # of a process
        self._started: dict[int, float] = {}  # of a number
        self._due: dict[int, float] = {}  # when a number is to be started
        self._was_ready = False

    def run(self, on_ready: Callable[[], None], close: Callable[[], None]) -> int:
        """Supervise until SIGTERM or SIGINT.

        Parameters
        ----------
        on_ready : callable
            Called once, when all workers answer.
        close : callable
            Closes the listening socket of this process, which nobody here accepts from.

        Returns
        -------
        int
            0 after a drain, 1 if a worker cannot serve or had to be killed.
        """
        hold_signals()
        gc.collect()
        give_back()
        gc.freeze()  # what is there by now stays in pages that all workers share
        self._due = dict.fromkeys(range(self._workers), 0.0)
        while True:
            self._start_due()
            waits = 0.02 if not self._was_ready else _PAUSE if self._due else 3600.0
            came = signal.sigtimedwait(_SIGNALS, waits)
            if came is not None and came.si_signo != signal.SIGCHLD:
                close()
                return self._end()
            for number, code in self._reap():
                if code == UNSERVABLE and not self._was_ready:
                    close()
                    self._end()
                    return 1
                lived = time.monotonic() - self._started[number]
                self._due[number] = time.monotonic() + (0.0 if lived > _PAUSE else _PAUSE)
                print(f"worker {number} ended ({_how(code)}); it is replaced", file=sys.stderr)
            if not self._was_ready and self._ready() == self._workers:
                self._was_ready = True
                on_ready()

    def _start_due(self) -> None:
        now = time.monotonic()
        for number in [number for number, due in self._due.items() if due <= now]:
            del self._due[number]
            self._started[number] = now
            process = os.fork()
            if process == 0:
                self._work(number)
            self._numbers[process] = number

    def _work(self, number: int) -> None:
        """Be a worker; never returns."""
        code = 1
        try:
            for name in (signal.SIGTERM, signal.SIGINT):
                signal.signal(name, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            code = self._run(number)
        except Exception as error:  # noqa: BLE001  it is the last thing that this process says
            print(f"worker {number}: {where(error)}", file=sys.stderr)
        finally:
            sys.stderr.flush()
            os._exit(code)  # what the parent would do at exit is not this process's to do

    def _reap(self) -> list[tuple[int, int]]:
        """Numbers and exit codes of the workers that ended."""
        ended = []
        while self._numbers:
            process, status = os.waitpid(-1, os.WNOHANG)
            if process == 0:
                break
            if process in self._numbers:  # as process 1 of a container, others come here too
                number = self._numbers.pop(process)
                self._gone(number)
                ended.append((number, os.waitstatus_to_exitcode(status)))
        return ended

    def _end(self) -> int:
        """Have the workers drain, and kill what does not end."""
        for process in self._numbers:
            os.kill(process, signal.SIGTERM)
        until = time.monotonic() + self._seconds + _GRACE
        while self._numbers and (left := until - time.monotonic()) > 0:
            self._reap()
            if self._numbers:
                signal.sigtimedwait((signal.SIGCHLD,), min(left, 1.0))
        for process in self._numbers:
            os.kill(process, signal.SIGKILL)
        killed = bool(self._numbers)
        while self._numbers:
            signal.sigtimedwait((signal.SIGCHLD,), 0.1)
            self._reap()
        return int(killed)


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
