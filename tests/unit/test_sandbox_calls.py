"""The sandbox's list of calls: it keeps the latest ones, and nothing secret or bottomless."""

from datetime import UTC, datetime

from worker.sandbox.calls import MOST_BYTES, MOST_CALLS, Call, Calls, redacted

NOW = datetime(2026, 11, 20, 9, 5, tzinfo=UTC)


def _arrive(calls: Calls, number: int, *, size: int | None = None) -> Call:
    call = Call(NOW, "GET", f"/v1/{number}")
    calls.arrived(call)
    calls.brought(call, None if size is None else "x" * (size - len('""') - len("GET/v1/0")))
    return call


def test_sandbox_keeps_the_latest_calls() -> None:
    """Above the bound the oldest calls are forgotten."""
    calls = Calls()
    for number in range(MOST_CALLS + 5):
        _arrive(calls, number)

    kept = [call.path for call in calls]

    assert (len(kept), calls.dropped) == (MOST_CALLS, 5)
    assert (kept[0], kept[-1]) == ("/v1/5", f"/v1/{MOST_CALLS + 4}")


def test_sandbox_keeps_no_more_bodies_than_it_may() -> None:
    """Large bodies are forgotten sooner, and a cleared list begins again from nothing."""
    calls = Calls()
    for number in range(10):
        _arrive(calls, number, size=MOST_BYTES // 4)
    kept, dropped = [call.path for call in calls], calls.dropped

    calls.clear()
    _arrive(calls, 0, size=MOST_BYTES)

    assert (kept, dropped) == (["/v1/6", "/v1/7", "/v1/8", "/v1/9"], 6)
    assert ([call.path for call in calls], calls.dropped) == (["/v1/0"], 0)


def test_sandbox_counts_paths_too() -> None:
    """A path can be as long as a body, and calls without a body are bounded as well."""
    calls = Calls()
    for _ in range(5):
        calls.arrived(Call(NOW, "GET", "/" * (MOST_BYTES // 4 - len("GET"))))

    assert (len(list(calls)), calls.dropped) == (4, 1)


def test_sandbox_does_not_count_the_body_of_a_call_that_it_forgot() -> None:
    """A body that comes after its call was forgotten takes no room from later ones."""
    calls = Calls()
    late = Call(NOW, "POST", "/v1/late")
    calls.arrived(late)
    calls.clear()
    calls.brought(late, "x" * MOST_BYTES)

    _arrive(calls, 0, size=MOST_BYTES)

    assert [call.path for call in calls] == ["/v1/0"]


def test_sandbox_redacts_secrets_at_every_depth() -> None:
    """Passwords and recovery addresses are left out wherever they stand, and what lies too deep altogether."""
    deep: object = "secret"
    for _ in range(20):
        deep = [deep]

    shown = redacted({"a": [{"password": "x", "name": "A"}], "password_recovery_email": "y", "deep": deep})

    assert shown["a"] == [{"password": "[redacted]", "name": "A"}]
    assert shown["password_recovery_email"] == "[redacted]"
    assert "secret" not in str(shown["deep"])
