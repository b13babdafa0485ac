"""A process that calls a mail host within the shared call budget, as fast as the budget lets it: ``main`` is one.

Its arguments are the database's URL, the host's, calls, seconds, reserve, threads, and how many seconds it goes on. It
prints how many calls were made and what else they came to than a success, as JSON.
"""

import json
import random
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from threading import Event

from worker.execution.outcomes import heard_of, spread
from worker.migadu import Call, MigaduClient, MigaduError, Outcome, ThreadClients, mailboxes_of
from worker.store.budget import CallBudget, CallLimit, NoCallNow, Permit
from worker.store.database import Database

USER, KEY = "admin@example.org", "sandbox-key"
_NEVER = Event()


class _Hooks:
    """Takes each call from the budget, as a worker does."""

    def __init__(self, database: Database, budget: CallBudget) -> None:
        self._database, self._budget = database, budget
        self._permit: Permit | None = None

    def before(self, attempt: Call) -> None:
        """Take the right to make the call; one call of three is a revocation's."""
        with self._database.write() as session:
            self._permit = self._budget.take(session, is_revocation=random.random() < 0.3)

    def after(self, attempt: Call, outcome: Outcome) -> None:
        """Tell what came of it."""
        with self._database.write() as session:
            self._budget.answered(session, self._permit, heard_of(outcome))


def _call_until(ends_s: float, client: MigaduClient) -> Counter[str]:
    """Call until the time is over; where no call may be made wait as long as one is told."""
    told: Counter[str] = Counter()
    while (left_s := ends_s - time.monotonic()) > 0:
        try:
            client.index(mailboxes_of("example.org"))
            told["made"] += 1
        except NoCallNow as refused:
            told[type(refused).__name__] += 1
            _NEVER.wait(min(spread(refused.wait).total_seconds(), left_s))
        except MigaduError as error:
            told[type(error).__name__] += 1
    return told


def main() -> None:
    """Call in many threads, and print what came of it."""
    database_url, host_url, calls, seconds, reserve, threads, for_s = sys.argv[1:]
    budget = CallBudget(CallLimit(int(calls), timedelta(seconds=float(seconds)), int(reserve)))
    ends_s = time.monotonic() + float(for_s)
    with closing(Database(database_url)) as database, ThreadClients() as clients:

        def work(_: int) -> Counter[str]:
            hooks = _Hooks(database, budget)
            return _call_until(ends_s, MigaduClient(host_url, USER, KEY, http=clients.client(), hooks=hooks))

        with ThreadPoolExecutor(int(threads)) as pool:
            sys.stdout.write(json.dumps(sum(pool.map(work, range(int(threads))), Counter())))


if __name__ == "__main__":
    main()
