"""Times as users write them."""

from datetime import UTC, datetime

import pytest

from serving.drift import recordings
from training.errors import UserError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7d", datetime(2026, 1, 24, 12, tzinfo=UTC)),
        ("90m", datetime(2026, 1, 31, 10, 30, tzinfo=UTC)),
        ("2026-01-30", datetime(2026, 1, 30, tzinfo=UTC)),
        ("2026-01-30T12:00+02:00", datetime(2026, 1, 30, 10, tzinfo=UTC)),
        ("2026-01-30T12:00:00Z", datetime(2026, 1, 30, 12, tzinfo=UTC)),
    ],
)
def test_times_are_read(text: str, expected: datetime) -> None:
    now = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert recordings.window(text, "", now).since == expected


@pytest.mark.parametrize("text", ["9999999999d", "7x", "2026-13-01", "d"])
def test_no_times_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="expected --until as a time"):
        recordings.window("", text)
