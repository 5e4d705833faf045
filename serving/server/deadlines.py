"""How long a request may take: one clock for all of them.

A timer for each request would cost more than reading its row: here it is an entry in a dict, and
once in a while somebody looks whose time is up.
"""

import asyncio

Request = asyncio.Task[None]


class Deadlines:
    """The requests under way and when their time is up.

    Parameters
    ----------
    seconds : float
        That a request may take.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: dict[Request, float] = {}
        self._overdue: set[Request] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self) -> Request:
        """Start the clock of the current task; `end` is to be called with what is returned."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop = loop
            self._look()
        request: Request | None = asyncio.current_task(loop)
        assert request is not None
        self._ends[request] = loop.time() + self._seconds
        return request

    def end(self, request: Request) -> bool:
        """Stop the clock; True if the time was up, for which the task was cancelled."""
        del self._ends[request]
        if request not in self._overdue:
            return False
        self._overdue.discard(request)
        request.uncancel()
        return True

    def _look(self) -> None:
        loop = self._loop
        assert loop is not None
        now = loop.time()
        for request, end in self._ends.items():
            if end < now and request not in self._overdue:
                self._overdue.add(request)
                request.cancel()
        loop.call_later(min(0.5, self._seconds / 4), self._look)
