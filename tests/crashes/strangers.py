"""Strangers at the mail host: what is not ours there, and somebody else who makes, changes and frees it beside us."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.integration.office import Office

KINDS = ("mailbox", "alias", "identity")
KEPT = "desk"
"""A mailbox of theirs that stays: mail of lists goes there that has nobody else."""
_FULL = {"mailbox": "mailboxes", "alias": "aliases"}


def box(local_part: str, *identities: str) -> dict[str, Any]:
    """Return a mailbox that is not ours, as it is seeded."""
    inside = [{"local_part": each, "name": "Not Ours"} for each in identities]
    return {"local_part": local_part, "name": "Not Ours", "identities": inside}


def alias(local_part: str) -> dict[str, Any]:
    """Return an alias that is not ours, as it is seeded."""
    return {"local_part": local_part, "destinations": [f"{KEPT}@example.org"]}


FIRST_BOXES = (box("ada.lovelace", "countess"), box(KEPT, "g.hopper"))
FIRST_ALIASES = (alias("alan.turing"),)


@dataclass(slots=True)
class Strangers:
    """What somebody else has at the host, byte for byte as they left it."""

    office: Office
    theirs: dict[tuple[str, str], Any] = field(default_factory=dict)
    """By "mailboxes" or "aliases", and local part; their identities are in their mailboxes."""
    renamed: set[str] = field(default_factory=set)
    """Local parts of our mailboxes whose display name they changed."""

    def __post_init__(self) -> None:
        self.office.seed(mailboxes=FIRST_BOXES, aliases=FIRST_ALIASES)
        self._note({("mailboxes", each["local_part"]) for each in FIRST_BOXES})
        self._note({("aliases", each["local_part"]) for each in FIRST_ALIASES})

    @property
    def boxes(self) -> set[str]:
        """The local parts of their mailboxes."""
        return {name for kind, name in self.theirs if kind == "mailboxes"}

    @property
    def addresses(self) -> set[str]:
        """Every address at which something of theirs stands."""
        inside = {each["local_part"] for shown in self.theirs.values() for each in shown.get("identities", ())}
        return {f"{name}@example.org" for name in {*inside, *(name for _, name in self.theirs)}}

    def make(self, kind: str, local_part: str) -> None:
        """Make something at an address, unless that is taken by then."""
        state, domain = self._shown()
        taken = {each["local_part"] for each in (*domain["mailboxes"], *domain["aliases"])}
        if local_part in taken.union(each["local_part"] for one in domain["mailboxes"] for each in one["identities"]):
            return
        if kind == "identity":
            desk = next(each for each in domain["mailboxes"] if each["local_part"] == KEPT)
            desk["identities"] = [*desk["identities"], *box(KEPT, local_part)["identities"]]
            owner = ("mailboxes", KEPT)
        else:
            domain[_FULL[kind]].append((box if kind == "mailbox" else alias)(local_part))
            owner = (_FULL[kind], local_part)
        self.office.put_state(state)
        self._note({owner})

    def change(self, name: str) -> None:
        """Rename what is theirs."""
        state, domain = self._shown()
        mine = [each for each in domain["mailboxes"] if ("mailboxes", each["local_part"]) in self.theirs]
        for each in mine:
            each["name"] = name
        self.office.put_state(state)
        self._note({("mailboxes", each["local_part"]) for each in mine})

    def free(self, local_part: str) -> None:
        """Take away what is theirs at an address, if anything is."""
        state, domain = self._shown()
        for kind in _FULL.values():
            if self.theirs.pop((kind, local_part), None) is not None:
                domain[kind] = [each for each in domain[kind] if each["local_part"] != local_part]
        desk = next(each for each in domain["mailboxes"] if each["local_part"] == KEPT)
        desk["identities"] = [each for each in desk["identities"] if each["local_part"] != local_part]
        self.office.put_state(state)
        self._note({("mailboxes", KEPT)})

    def rename_ours(self, local_part: str) -> None:
        """Change the display name of a mailbox that is not theirs, but ours."""
        state, domain = self._shown()
        ours = [each for each in domain["mailboxes"] if each["local_part"] == local_part]
        if ours and local_part not in self.boxes:
            ours[0]["name"] = "A Foreign Hand"
            self.office.put_state(state)
            self.renamed.add(local_part)

    def complaints(self) -> Iterator[str]:
        """Yield what is otherwise than they left it."""
        _, domain = self._shown()
        for (kind, name), left in self.theirs.items():
            found = next((each for each in domain[kind] if each["local_part"] == name), None)
            if found != left:
                yield f"what is not ours was changed: {found} instead of {left}"

    def _shown(self) -> tuple[dict[str, Any], dict[str, Any]]:
        state = self.office.whole_state()
        (domain,) = state["domains"]
        return state, domain

    def _note(self, changed: set[tuple[str, str]]) -> None:
        _, domain = self._shown()
        self.theirs |= {
            (kind, each["local_part"]): each
            for kind in _FULL.values()
            for each in domain[kind]
            if (kind, each["local_part"]) in changed
        }
