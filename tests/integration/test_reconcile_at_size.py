"""A reconcile of 10,000 people: what it asks of the mail host, and of the machine."""

from tests.benchmarks.reconcile import GROUPS, PEOPLE, enter_people, look, mail_host
from worker.store.database import Database

MOST_MB = 200
"""Of the whole process, Python and all that it imports included."""


def test_ten_thousand_people_without_drift_cost_three_lists_and_little_memory(
    database: Database, migrated_url: str
) -> None:
    """The lists of the domain are read once each, nobody is asked for alone, and the process stays below 200 MB."""
    enter_people(database)
    with mail_host() as sandbox:
        looked = look(migrated_url, sandbox)

    assert (looked["compared"], looked["found"]) == ({"people": PEOPLE, "shared": GROUPS}, {})
    assert looked["calls"] == [f"GET /v1/domains/example.org/{what}" for what in ("mailboxes", "aliases", "rewrites")]
    assert int(str(looked["peak_mb"])) < MOST_MB
