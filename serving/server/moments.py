"""Texts that are dates, and their parts: as `training.values` reads them, without pandas.

One difference remains. A text with more than six digits of a second makes pandas count the whole
column in nanoseconds, so that dates outside 1678 to 2262 are missing; here only that cell's own
date is.
"""

import re
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache

_SECOND = 1_000_000  # all moments are microseconds since 1970 in UTC
_DAY = 86_400 * _SECOND
_EPOCH = date(1970, 1, 1).toordinal()
_CYCLE = 146_097  # days of 400 years
_FAR = 2**63 // 1000  # microseconds whose nanoseconds fill 64 bits
_LONGEST = 64

_ISO = re.compile(
    r"""(?:-(?P<before>\d{1,4}+)|\s*-?(?P<year>\d{4}))
    (?:(?P<sep>[-./\\ ])(?P<m1>\d{1,2})(?:(?P=sep)(?P<d1>\d{1,2})(?P<time>[T ].*)?)?
      |(?P<m2>\d\d)(?P<d2>\d\d)(?P<time2>[T ].*)?)?""",
    re.ASCII | re.VERBOSE | re.DOTALL,
)
_TIME = re.compile(
    r"""[T ](?:(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{0,18}))?)?
      |(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{0,18}))?)?)?)
    \s*(?:Z\s*|([+-])(\d{1,2}+)(?::?(\d{1,2})\s*)?)?""",
    re.ASCII | re.VERBOSE,
)
_LONG_FRACTION = re.compile(r"(\.\d{6})\d{1,3}(?!\d)", re.ASCII)

Parts = tuple[float, ...]


def parts_reader(layout: str, parts: tuple[str, ...]) -> Callable[[str | None], Parts | None]:
    """A function that reads a text into the parts of its moment, None if it is no date.

    Parameters
    ----------
    layout : str
        strptime format; '' is ISO 8601, which is tried in any case.
    parts : tuple of str
        Of `training.schema.PARTS`.
    """
    takes = [_PARTS[part] for part in parts]

    def read(text: str) -> Parts | None:
        moment = parse_moment(text, layout)
        return None if moment is None else tuple(take(moment) for take in takes)

    remembered = lru_cache(maxsize=4096)(read)  # dates repeat; short texts only: it stays small

    def read_parts(text: str | None) -> Parts | None:
        if text is None or len(text) > _LONGEST or text in ("now", "today"):
            return None if text is None else read(text)
        return remembered(text)

    return read_parts


def parse_moment(text: str, layout: str) -> int | None:
    """A text as microseconds since 1970 in UTC, by the layout or else as ISO 8601."""
    if text in ("now", "today"):  # as pandas has it
        return int(time.time() * _SECOND)
    if layout:
        found = _by_layout(text, layout)
        return _iso(text) if found is None else found
    # ISO 8601 also has bare digits, which are more likely to be anything else.
    return None if text.isdigit() else _iso(text)


def iso_text(moment: int) -> str:
    """A moment, in UTC, as ISO 8601 writes it: `2020-01-31T12:00:00`."""
    year, month, day = _calendar(moment)
    second, rest = divmod(moment % _DAY, _SECOND)
    written = f"{year:05d}" if year < 0 else f"{year:04d}"
    written += f"-{month:02d}-{day:02d}T{second // 3600:02d}:{second // 60 % 60:02d}"
    return f"{written}:{second % 60:02d}" + (f".{rest:06d}" if rest else "")


def _by_layout(text: str, layout: str) -> int | None:
    short = _LONG_FRACTION.sub(r"\1", text) if "%f" in layout else text
    try:
        read = datetime.strptime(short, layout)
    except ValueError:
        return None
    zone = read.tzinfo.utcoffset(None) if isinstance(read.tzinfo, timezone) else timedelta()
    since = read.replace(tzinfo=None) - datetime(1970, 1, 1)
    return _counted((since - zone) // timedelta(microseconds=1), short != text)


def _iso(text: str) -> int | None:
    day = _ISO.fullmatch(text)
    if day is None:
        return None
    month, of_month = day["m1"] or day["m2"], day["d1"] or day["d2"]
    year = -int(day["before"]) if day["before"] else int(day["year"])
    days = _days(year, int(month or 1), int(of_month or 1))
    if days is None:
        return None
    rest = day["time"] or day["time2"]
    if not rest:
        return days * _DAY
    clock = _TIME.fullmatch(rest)
    within = None if clock is None else _within_day(clock)
    if clock is None or within is None:
        return None
    return _counted(days * _DAY + within, len(clock[4] or clock[8] or "") > 6)


def _counted(moment: int, nanoseconds: bool) -> int | None:
    """The moment, None if it is to be counted in nanoseconds and these do not fit."""
    return None if nanoseconds and not -_FAR < moment < _FAR else moment


def _within_day(found: re.Match[str]) -> int | None:
    hour, minute, second = (int(found[at] or found[at + 4] or 0) for at in (1, 2, 3))
    zone_hours, zone_minutes = int(found[10] or 0), int(found[11] or 0)
    if hour > 23 or minute > 59 or second > 59 or zone_hours > 23 or zone_minutes > 59:
        return None
    fraction = int(((found[4] or found[8] or "") + "000000")[:6])
    zone = (zone_hours * 60 + zone_minutes) * (-60 if found[9] == "-" else 60)
    return ((hour * 60 + minute) * 60 + second - zone) * _SECOND + fraction


def _days(year: int, month: int, day: int) -> int | None:
    """Days since 1970 of a day of the Gregorian calendar, which also has years before 1."""
    cycles, within = divmod(year - 1, 400)
    try:
        return date(within + 1, month, day).toordinal() - _EPOCH + cycles * _CYCLE
    except ValueError:
        return None


def _calendar(moment: int) -> tuple[int, int, int]:
    """Year, month and day."""
    cycles, within = divmod(moment // _DAY + _EPOCH - 1, _CYCLE)
    day = date.fromordinal(within + 1)
    return day.year + cycles * 400, day.month, day.day


_PARTS: dict[str, Callable[[int], float]] = {
    "elapsed": lambda moment: moment / 86_400e6,
    "year": lambda moment: float(_calendar(moment)[0]),
    "month": lambda moment: float(_calendar(moment)[1]),
    "day": lambda moment: float(_calendar(moment)[2]),
    "weekday": lambda moment: float((moment // _DAY + 3) % 7),
    "hour": lambda moment: float(moment % _DAY // (3600 * _SECOND)),
}
