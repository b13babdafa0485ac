"""Who is in which lane, watched commit by commit: nobody enters one while the lease of another lives."""

from dataclasses import dataclass, field

from sqlalchemy import select

from tests.integration.office import Office
from worker.store.database import database_now
from worker.store.states import JobState
from worker.store.tables import JobRow


@dataclass(slots=True)
class Lanes:
    """The jobs that ran after the last commit, each with its token and whether its lease lived."""

    running: dict[int, tuple[int, bool]] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    def note(self, office: Office) -> None:
        """Look who is in a lane now, and complain of one that changed hands while its lease lived."""
        with office.database.read() as session:
            now = database_now(session)
            rows = session.execute(
                select(JobRow.id, JobRow.fence, JobRow.lease_until).where(JobRow.state == JobState.RUNNING)
            )
            found = {job_id: (fence, lease_until > now) for job_id, fence, lease_until in rows}
        for job_id, (fence, lives) in self.running.items():
            if lives and job_id in found and found[job_id][0] != fence:
                self.complaints.append(f"job {job_id} was claimed while the lease of another lived")
        self.running = found
