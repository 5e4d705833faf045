"""The next request of a client that asks again at once, waited for awake.

Where a machine has little to do, a process takes longer to fall asleep and to be woken than a
prediction takes. So a worker with one connection looks again and again, for a moment after each
answer, whether the next request is there; where none came in time it does so ever more seldom.
"""

import os
import select
from time import perf_counter

#: Seconds that a request is waited for: about what it takes to be woken.
_MOMENT = 40e-6
#: After so many moments in vain, at most, no more is one wasted than in each so many-th answer.
_MOST_MISSES, _MOST_SKIPPED = 10, 1 << 10
_BYTES = 64 << 10


class Awake:
    """Waits for what a connection receives.

    Parameters
    ----------
    file : int
        The connection's file descriptor; reading it does not block.
    """

    __slots__ = ("_file", "_look", "_misses", "_skip")

    def __init__(self, file: int) -> None:
        self._file = file
        looking = select.poll()  # which costs a quarter of a read in vain
        looking.register(file, select.POLLIN)
        self._look = looking.poll
        self._misses = 0  # one after the other
        self._skip = 0

    def receive(self) -> bytes:
        """What has come, b'' if nothing has, or the connection ends."""
        if self._skip:
            self._skip -= 1
            return b""
        if not self._comes():
            self._skip = min(1 << self._misses, _MOST_SKIPPED)
            self._misses = min(self._misses + 1, _MOST_MISSES)
            return b""
        self._misses = 0
        try:
            return os.read(self._file, _BYTES)
        except OSError:  # the event loop will see it as well
            return b""

    def _comes(self) -> bool:
        """Whether something comes in time."""
        look, until = self._look, perf_counter() + _MOMENT
        while perf_counter() < until:
            if look(0):
                return True
            os.sched_yield()  # to whom this processor is also for: it may be the client
        return False

    def send(self, data: bytes) -> bytes:
        """Send what can be sent now; returns the rest."""
        try:
            return data[os.write(self._file, data) :]
        except OSError:  # it takes no more for now, or is gone: the event loop will see
            return data
