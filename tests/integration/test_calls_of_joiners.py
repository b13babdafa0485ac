"""What a day of many joiners costs in calls, with and without a call limit."""

from collections import Counter
from datetime import timedelta

import pytest

from tests.integration.office import Office
from worker.store.budget import CallLimit

DEPARTMENTS, JOINERS, BOUND = 12, 60, 1.03
POLICY = '[organisation]\ndomain = "example.org"\n' + "".join(
    f'[[groups]]\naddress = "dept{number}"\nmembers = {{ department = "Dept {number}" }}\n'
    for number in range(DEPARTMENTS)
)


@pytest.mark.parametrize("limit", [None, CallLimit(60, timedelta(seconds=120), 10)], ids=["unlimited", "60/120"])
def test_many_joiners_cost_a_call_each_and_little_more(office: Office, limit: CallLimit | None) -> None:
    """However long it takes, nobody is looked for alone, and each list of members is written once, unseen."""
    office.activate(POLICY)
    if limit is not None:
        office.limited(limit)
    for number in range(JOINERS):
        office.join(f"E{number}", f"Given{number} Family{number}", department=f"Dept {number % DEPARTMENTS}")
    office.work_on(timedelta(minutes=8), every=timedelta(seconds=20))

    calls = Counter(office.calls())
    lists = calls["GET", "mailboxes"] + calls["GET", "aliases"]
    assert len(office.mailboxes()) == JOINERS
    assert [len(members) for members in office.aliases().values()] == [JOINERS // DEPARTMENTS] * DEPARTMENTS
    assert calls["POST", "mailboxes"] == JOINERS
    assert calls.total() <= BOUND * (JOINERS + DEPARTMENTS + lists)
    assert office.outstanding() == []
