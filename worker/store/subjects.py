"""What a job is about: its lane, of which the database knows the kind and the key."""

from dataclasses import dataclass
from enum import StrEnum

from worker.mail import SharedKey, bare, is_rewrite, rewrite_key
from worker.store.tables import JobRow


class SubjectKind(StrEnum):
    """What a job is about."""

    PERSON = "person"
    SHARED = "shared"
    REWRITE = "rewrite"
    DOMAIN = "domain"


LISTS = (SubjectKind.SHARED, SubjectKind.REWRITE)
"""The kinds whose lanes write a list."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A lane: a person by id, a shared address, a rewrite (NAME@DOMAIN), or a domain whose addresses are to be read."""

    kind: SubjectKind
    key: str

    @property
    def person_id(self) -> int | None:
        """The person's id, for lanes of people."""
        return int(self.key) if self.kind is SubjectKind.PERSON else None

    @property
    def shared_key(self) -> SharedKey | None:
        """What memberships and the ledger call it, for lanes of shared addresses and rewrites."""
        if self.kind is SubjectKind.REWRITE:
            return rewrite_key(self.key)
        return self.key if self.kind is SubjectKind.SHARED else None


def subject_of(row: JobRow) -> Subject:
    """Return the lane that a job is in."""
    return Subject(SubjectKind(row.subject_kind), row.subject_key)


def shared_subject(key: SharedKey) -> Subject:
    """Return the lane of a shared address or a rewrite."""
    return Subject(SubjectKind.REWRITE if is_rewrite(key) else SubjectKind.SHARED, bare(key))
