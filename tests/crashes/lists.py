"""What the mail host was asked about shared lists, held against what the roster said of them, version by version."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.integration.office import Office
from worker.intake.list_views import Terms, list_view
from worker.mail import SharedKey, bare, is_rewrite, local_part_of
from worker.policy import Policy, desired, load_policy
from worker.store.policies import active_policy

Members = frozenset[str]
_FALLBACKS = frozenset({"postmaster@example.org"})
"""What nobody of ours makes: where mail goes that has nobody else."""


@dataclass(slots=True)
class Roster:
    """What the database said, commit by commit, that each list of the policy should name."""

    policy: Policy
    versions: dict[SharedKey, list[Members]] = field(default_factory=dict)

    def note(self, office: Office) -> None:
        """Keep what it says now, where that differs from the last time."""
        with office.database.read() as session:
            for key in self.policy.lists:
                terms = Terms(self.policy, office.intake.precedence, office.clock.now())
                wanted = desired(list_view(session, key, terms), self.policy, terms.now).state.destinations
                known = self.versions.setdefault(key, [])
                if not known or known[-1] != (wanted or frozenset()):
                    known.append(frozenset(wanted or ()))


def roster_of(office: Office) -> Roster:
    """Begin to keep versions, by the policy that is active."""
    with office.database.read() as session:
        active = active_policy(session)
    assert active is not None, "an office for this has a policy"
    roster = Roster(load_policy(active[1]))
    roster.note(office)
    return roster


def complaints(office: Office, roster: Roster) -> list[str]:
    """Return what was wrong with the calls that the host was sent, in its order.

    - A call on a list is out of order if the versions cannot be put beside the calls so that each call carries its
      version and none carries an older one than a call that took effect before it. The earliest version that fits is
      taken each time, so whoever left and came back is no complaint. Nor is who moved to another list and is named
      still, as they were before.
    - A list names only mailboxes that exist; a mailbox goes only while no list names it, and is never made twice.
    """
    found: list[str] = []
    reached = dict.fromkeys(roster.versions, 0)
    boxes, named = set[str](), dict[str, Members]()
    for call in office.call_log():
        where = f"{call['method']} {_below_domain(call)}"
        kind, _, name = _below_domain(call).partition("/")
        took_effect = call["status"] is not None and call["status"] < 300
        if kind in ("aliases", "rewrites") and call["method"] != "GET":
            key = _key(roster, kind, name or call["body"].get("local_part") or call["body"]["name"])
            carried = _carried(call)
            if key in roster.versions and carried is not None:
                stay = named.get(f"{kind}/{key}", frozenset()) & _members_of_others(roster, key)
                left = range(reached[key], len(roster.versions[key]))
                fits = [n for n in left if _fits(carried, roster.versions[key][n], stay)]
                if not fits:
                    found.append(f"{where} carries {sorted(carried)}, which is older, or never was")
                elif took_effect:
                    reached[key] = fits[0]
                found += [f"{where} names {each}, which does not exist" for each in carried - boxes - _FALLBACKS]
                if took_effect:
                    named[f"{kind}/{key}"] = carried
        elif kind == "mailboxes" and "/" not in name and took_effect:
            found += _of_mailbox(where, call, name, boxes, named)
    return found


def _fits(carried: Members, version: Members, stay: Members) -> bool:
    return carried == version or (carried - version <= stay and version - carried <= _FALLBACKS)


def _members_of_others(roster: Roster, key: SharedKey) -> Members:
    others = (version for other, versions in roster.versions.items() if other != key for version in versions)
    return frozenset().union(*others)


def _of_mailbox(
    where: str, call: Mapping[str, Any], name: str, boxes: set[str], named: Mapping[str, Members]
) -> Iterable[str]:
    address = f"{name or (call['body'] or {}).get('local_part')}@example.org"
    if call["method"] == "POST":
        boxes.add(address)
    elif call["method"] == "DELETE":
        boxes.discard(address)
        return [f"{where} while {each} names it" for each, members in named.items() if address in members]
    return []


def _carried(call: Mapping[str, Any]) -> Members | None:
    if call["method"] == "DELETE":
        return frozenset()
    destinations = call["body"].get("destinations")
    if destinations is None:
        return None  # other fields alone
    return frozenset(destinations.split(",") if isinstance(destinations, str) else destinations)


def _below_domain(call: Mapping[str, Any]) -> str:
    return str(call["path"]).partition("/example.org/")[2]


def _key(roster: Roster, kind: str, name: str) -> SharedKey | None:
    wanted = (each for each in roster.versions if is_rewrite(each) is (kind == "rewrites"))
    return next((each for each in wanted if local_part_of(bare(each)) == name), None)
