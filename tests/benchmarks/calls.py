"""What an outcome costs in calls, by the mail host's own count: a thousand joiners in twelve departments, and others.

All joiners are told at once; then some people leave, are renamed and move, alone and together. The bound of the joiners
is 1.03 x (joiners + departments + lists), where lists are the indexes that were read, the first ones among them. There
is no call limit, so that it takes about two minutes.
"""

from collections import Counter
from itertools import count

from tests.benchmarks._place import DEPARTMENTS, PROFILES, Place, joined, placed
from tests.end_to_end.installation import event

JOINERS, TOGETHER = 1_000, 60
BOUND = 1.03


def measure() -> dict[str, object]:
    """Count on both profiles. Raises ServerMissing."""
    return {"joiners": JOINERS, "departments": DEPARTMENTS, "together": TOGETHER} | {
        profile: _counted(profile) for profile in PROFILES
    }


def _counted(profile: str) -> dict[str, object]:
    with placed(profile) as place, place.working():
        joiners = _calls(place, [joined(number) for number in range(JOINERS)])
        everybody = count()
        others = {
            name: {
                "alone": _shown(_calls(place, [told(next(everybody))])),
                "together": _shown(_calls(place, [told(next(everybody)) for _ in range(TOGETHER)])),
            }
            for name, told in (("leaver", _left), ("renamed", _renamed), ("mover", _moved))
        }
    lists = sum(number for call, number in joiners.items() if call.endswith("index"))
    return {
        "joiners": _shown(joiners) | {"lists": lists, "of_bound": _of_bound(joiners.total(), lists)},
        **others,
    }


def _of_bound(calls: int, lists: int) -> float:
    return round(calls / (BOUND * (JOINERS + DEPARTMENTS + lists)), 3)


def _calls(place: Place, documents: list[dict[str, object]]) -> Counter[str]:
    """Tell, wait until everything is done, and return the calls that it took, by kind."""
    before = len(place.host.calls())
    place.tell(documents)
    place.wait_until_settled()
    return Counter(_kind(call["method"], call["path"]) for call in place.host.calls(since=before))


def _kind(method: str, path: str) -> str:
    """Return what a call asked for, its place without names: /v1/domains/DOMAIN/mailboxes/NAME/..."""
    kinds = path.split("/")[4::2]
    is_index = method == "GET" and len(path.split("/")) % 2 == 1
    return " ".join([method, *kinds, *(["index"] if is_index else [])])


def _shown(calls: Counter[str]) -> dict[str, object]:
    return {"calls": calls.total(), "by_kind": dict(calls.most_common())}


def _left(number: int) -> dict[str, object]:
    return event("left", f"E{number}", immediate=True)


def _renamed(number: int) -> dict[str, object]:
    return event("renamed", f"E{number}", familyName=f"Other{number}")


def _moved(number: int) -> dict[str, object]:
    return event("updated", f"E{number}", department=f"Dept {(number + 1) % DEPARTMENTS}")
