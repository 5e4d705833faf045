"""Runs the user's command for an event: one at a time, only the newest that waits of each model."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from registry.delivery import AliasSet

SECRET_VARIABLE = "SIXFOLD_WEBHOOK_SECRET"  # noqa: S105  a name
_KILL_AFTER = 5.0
_GLANCE = 0.1


class Reactions:
    """A queue of commands, run by one thread.

    Parameters
    ----------
    commands : mapping of str to sequence of str
        Alias -> the command's words.
    say : callable
        Takes one line of the log.
    """

    def __init__(self, commands: Mapping[str, Sequence[str]], say: Callable[[str], None]) -> None:
        self._commands = commands
        self._say = say
        self._changed = threading.Condition()
        self._waiting: dict[tuple[str, str], AliasSet] = {}
        self._newest: dict[tuple[str, str], float] = {}
        self._running: subprocess.Popen[bytes] | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="sixfold-reactions", daemon=True)
        self._thread.start()

    def add(self, event: AliasSet) -> str:
        """Queue the event's command. Never waits. Returns what becomes of it, in a few words."""
        if event.alias not in self._commands:
            return f"no command for the alias {event.alias}"
        key = event.model, event.alias
        with self._changed:
            if self._stopping:
                return "not started: stopping"
            if event.when < self._newest.get(key, event.when):
                return "not started: overtaken by a later event"
            self._newest[key] = event.when
            replaced = self._waiting.get(key)
            self._waiting[key] = event
            self._changed.notify_all()
        if replaced is not None:
            return f"queued, in place of version {replaced.version}"
        return "queued"

    def stop(self, patience: float, hurry: threading.Event) -> bool:
        """Let the running command end; those that wait are not started.

        Parameters
        ----------
        patience : float
            Seconds that it has; then it gets SIGTERM, and SIGKILL five seconds later.
        hurry : Event
            When it is set, the command has no more time.

        Returns
        -------
        bool
            Whether it ended by itself.
        """
        with self._changed:
            self._stopping = True
            for event in self._waiting.values():
                self._say(f"{event.name}: its command is not started: stopping")
            self._waiting.clear()
            self._changed.notify_all()
        deadline = time.monotonic() + patience
        while self._thread.is_alive() and time.monotonic() < deadline and not hurry.is_set():
            self._thread.join(_GLANCE)
        if not self._thread.is_alive():
            return True
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self._changed:
                if self._running is not None:
                    with suppress(ProcessLookupError):
                        os.killpg(self._running.pid, number)
            self._thread.join(_KILL_AFTER)
        return False

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopping)
                if self._stopping:
                    return
                event = self._waiting.pop(next(iter(self._waiting)))
                process = self._start(event)
                self._running = process
            if process is not None:
                code = process.wait()
                with self._changed:
                    self._running = None
                how = f"exit code {code}" if code >= 0 else f"ended by signal {-code}"
                self._say(f"{event.name} is {event.alias}: the command has ended, {how}")

    def _start(self, event: AliasSet) -> "subprocess.Popen[bytes] | None":
        command = self._commands[event.alias]
        self._say(f"{event.name} is {event.alias}: running {command[0]}")
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                env=environment(event),
                # Ctrl-C in a terminal is for the receiver, not for a build half-way.
                start_new_session=True,
            )
        except OSError as error:
            self._say(f"{event.name} is {event.alias}: cannot run {command[0]}: {error.strerror}")
            return None


def environment(event: AliasSet) -> dict[str, str]:
    """What the command finds in its environment: the receiver's own without the secret."""
    kept = {name: value for name, value in os.environ.items() if name != SECRET_VARIABLE}
    return kept | {
        "SIXFOLD_MODEL": event.model,
        "SIXFOLD_VERSION": event.version,
        "SIXFOLD_ALIAS": event.alias,
        "SIXFOLD_MODEL_URI": f"models:/{event.model}/{event.version}",
    }
