"""What an undoing said, told to whoever asked for it."""

from worker.cli.output import say
from worker.events import EventType
from worker.execution.undo import Undone


def show_undone(undone: Undone) -> None:
    """Tell which statements were accepted, and what they mean for the person."""
    for number, kind in zip(undone.events, undone.types, strict=True):
        say(f"event {number} ({kind.value}) about person {undone.person_id} is accepted")
    if EventType.LEAVING_CANCELLED in undone.types:
        say(f"whoever was blocked needs a new password: `mailroster people reset-password {undone.person_id}`")
    if EventType.JOINING_CANCELLED in undone.types:
        say("the joining is called off: a mailbox that was made for it is blocked, and goes the way of a departure")
