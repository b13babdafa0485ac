"""The clock: the machine's, or moved by a duration that stands in the setting or in a file."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from worker.clock import ClockInvalid, clock_from, duration

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("P1D", timedelta(days=1)),
        ("-P1DT2H", -timedelta(days=1, hours=2)),
        ("+PT30M", timedelta(minutes=30)),
        ("P2W", timedelta(weeks=2)),
        ("PT0.5S\n", timedelta(seconds=0.5)),
        ("P1W2DT3H4M5S", timedelta(weeks=1, days=2, hours=3, minutes=4, seconds=5)),
    ],
)
def test_durations_are_read_as_iso_8601_writes_them(text: str, length: timedelta) -> None:
    """Weeks, days, hours, minutes and seconds, forwards and backwards."""
    assert duration(text) == length


@pytest.mark.parametrize("text", ["", "P", "PT", "P1DT", "1D", "P1M", "P1Y", "P-1D", "P1D ago", "PT1.S", "P٣D"])
def test_what_has_no_fixed_length_is_no_duration(text: str) -> None:
    """Months and years are refused like anything else that is not a duration."""
    with pytest.raises(ClockInvalid):
        duration(text)


@pytest.mark.parametrize(("setting", "hours"), [(None, 0), ("PT2H", 2), ("-P1D", -24)])
@time_machine.travel(NOON, tick=False)
def test_a_clock_tells_aware_utc_moved_by_its_setting(setting: str | None, hours: int) -> None:
    """No setting is the machine's time; a duration moves it."""
    now = clock_from(setting).now()

    assert now == NOON + timedelta(hours=hours)
    assert now.tzinfo is UTC


@time_machine.travel(NOON, tick=False)
def test_a_clock_file_is_read_again_at_each_use(tmp_path: Path) -> None:
    """Tests move time under running processes; a file that is just being rewritten does not move it back."""
    file = tmp_path / "clock"
    file.write_text("P1D\n")
    clock = clock_from(str(file))
    seen = [clock.now()]
    for text in ("P30D", ""):
        file.write_text(text)
        seen.append(clock.now())

    assert seen == [NOON + timedelta(days=days) for days in (1, 30, 30)]


@pytest.mark.parametrize("content", [None, "", "tomorrow", b"\xff"])
def test_a_clock_file_that_holds_no_duration_is_refused(tmp_path: Path, content: str | bytes | None) -> None:
    """A missing, empty or foreign file is an error, and never silently the machine's time."""
    file = tmp_path / "clock"
    if content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    with pytest.raises(ClockInvalid):
        clock_from(str(file)).now()


def test_a_shift_beyond_the_calendar_is_refused() -> None:
    """Whoever moves time too far is told so."""
    with pytest.raises(ClockInvalid, match="leaves the calendar"):
        clock_from("P4000000D").now()
