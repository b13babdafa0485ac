"""What a plan costs: the scarce thing is calls, so cost is the time that the call limit makes them take."""


def cost_s(calls: int, limit: tuple[int, float] | None) -> float:
    """Return the seconds before the last of these calls may start, from a budget that nobody has used yet.

    ``limit`` is (calls, seconds) of a rolling window, as Migadu has it (`migadu-behaviour.md` 2); None is no limit.
    The time that the calls themselves take is not counted.
    """
    if limit is None or calls <= 0:
        return 0.0
    per_window, window_s = limit
    return (calls - 1) // per_window * window_s
