"""What a command does when it is told to end."""

import os
import pty
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import wait_until
from training.console import one_line
from training.interrupts import uninterrupted

_ROOT = Path(__file__).parents[2]
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: A command that says what it does, in a terminal.
_COMMAND = """
import sys, time
from pathlib import Path
from training.console import one_line, say

@one_line
def command():
    try:
        Path("begun").touch()
        time.sleep(60)
    finally:
        say("tidying up")
        Path("tidied").touch()

command()
"""


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Those of before are put back."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_ends_a_command_lets_it_tidy_up(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    tidied = []

    @one_line
    def command() -> None:
        try:
            os.kill(os.getpid(), number)
        finally:
            for again in _SIGNALS:  # they do not interrupt what is done now
                os.kill(os.getpid(), again)
            tidied.append("all of it")

    with pytest.raises(SystemExit) as ended:
        command()
    assert ended.value.code == 130
    assert tidied == ["all of it"]
    assert capsys.readouterr().err.startswith("sixfold: interrupted; ")


def test_a_command_tidies_up_when_its_terminal_is_closed(tmp_path: Path) -> None:
    process, terminal = pty.fork()
    if not process:
        try:
            os.chdir(tmp_path)
            environment = os.environ | {"PYTHONPATH": str(_ROOT)}
            os.execve(sys.executable, [sys.executable, "-c", _COMMAND], environment)
        finally:
            os._exit(1)  # else there would be two that run the tests
    wait_until((tmp_path / "begun").exists)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 130
    assert (tmp_path / "tidied").exists()


def test_a_command_goes_on_without_its_terminal_where_it_is_to() -> None:
    """As `nohup` has it."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    ended = []

    @one_line
    def command() -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        ended.append("well")

    command()
    assert ended == ["well"]
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


@pytest.mark.parametrize("number", _SIGNALS)
def test_some_things_are_ended_first(number: int) -> None:
    done = []

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def work() -> None:
        with uninterrupted():
            os.kill(os.getpid(), number)
            done.append("all of it")

    signal.signal(number, interrupt)
    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all of it"]


def test_what_is_ignored_stays_so_and_hides_nothing() -> None:
    """SIGHUP under nohup, then SIGTERM."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    def work() -> None:
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
