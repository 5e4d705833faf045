"""Every error that is the user's to mend, and how a wrong name is answered."""

from collections.abc import Iterable
from difflib import get_close_matches


class SixfoldError(Exception):
    """Base of Sixfold's own errors; `exit_code` is what the console command exits with."""

    exit_code = 1


class UserError(SixfoldError):
    """One line that says what was expected, what came, and what to do."""

    exit_code = 2


class TrainingFailed(SixfoldError):
    """No candidate could be trained."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """Say which valid names are nearest to a wrong one.

    Parameters
    ----------
    name : str
        What the user wrote.
    valid : iterable of str
        The names that would have been right.

    Returns
    -------
    str
        `did you mean 'a' or 'b'?`, or all valid names if none is near.
    """
    names = [str(item) for item in valid]
    close = get_close_matches(str(name), names, n=3, cutoff=0.6)
    if not close:
        lowered = {item.lower(): item for item in names}
        close = [lowered[item] for item in get_close_matches(str(name).lower(), lowered, n=3)]
    if close:
        return "did you mean " + " or ".join(repr(item) for item in close) + "?"
    shown = ", ".join(names[:30]) + (", …" if len(names) > 30 else "")
    return f"valid: {shown}"
