"""What may go wrong without a fault of ours, and the sentence for each."""

from math import ceil
from typing import Final

from worker.cli.failed import Failed
from worker.clock import ClockInvalid
from worker.deployment import NotConfigured
from worker.execution.adoption_table import AdoptionRefused
from worker.execution.look import UnknownMailDomain
from worker.execution.preview import NothingToPreviewBy
from worker.execution.reconcile import NothingToReconcileBy
from worker.execution.verbs import VerbRefused
from worker.intake import EventsRefused, NothingToTakeBack
from worker.intake.merging import MergeRefused
from worker.intake.replay import NothingToReplay
from worker.intake.rosters import ImportRunning
from worker.intake.statements import UnknownPerson
from worker.migadu import MigaduError
from worker.policy import PolicyInvalid
from worker.settings import SettingsInvalid
from worker.sources import SourcesInvalid
from worker.store.budget import NoCallNow
from worker.store.database import DatabaseFailure
from worker.store.schema import SchemaOutdated

FORESEEN: Final = (
    Failed,
    AdoptionRefused,
    ClockInvalid,
    DatabaseFailure,
    EventsRefused,
    ImportRunning,
    MergeRefused,
    MigaduError,
    NoCallNow,
    NotConfigured,
    NothingToPreviewBy,
    NothingToReconcileBy,
    NothingToReplay,
    NothingToTakeBack,
    OSError,
    PolicyInvalid,
    SchemaOutdated,
    SettingsInvalid,
    SourcesInvalid,
    UnknownMailDomain,
    UnknownPerson,
    VerbRefused,
)
"""What may go wrong without a fault of ours: told in a sentence, never with a traceback."""


def sentence(error: Exception) -> str:
    """Return what a person should read of an error that was foreseen. Holds no secret."""
    match error:
        case DatabaseFailure():
            said = _of_the_driver(error)
        case NoCallNow():
            said = f"{error}; try again in {ceil(error.wait.total_seconds())} s"
        case MigaduError():
            said = f"{error} {error.excerpt}".strip()
        case PolicyInvalid():
            said = f"the policy is invalid: {error}"
        case EventsRefused():
            said = "nothing was accepted: " + "; ".join(error.reasons)
        case OSError():
            said = _of_the_system(error)
        case _:
            said = str(error)
    return said


def _of_the_driver(error: DatabaseFailure) -> str:
    """Return what the driver says, not the statement; its first line names host, file or table."""
    said = str(getattr(error, "orig", None) or error).strip().splitlines()
    return f"the database cannot be used: {said[0] if said else type(error).__name__}"


def _of_the_system(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename is not None else ""
    return f"{where}{error.strerror or error}"
