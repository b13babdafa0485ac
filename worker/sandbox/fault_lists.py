"""Reading a list of faults (`contracts.md` 7). What cannot be read is told with its place and its reason."""

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from email.utils import format_datetime

from worker.sandbox.faults import MAY_BE_NULL, READS, Fault, Faults, path_pattern
from worker.sandbox.field_names import BOOLEANS, FIELDS
from worker.sandbox.latency import LONGEST_S, Latency, Seconds
from worker.sandbox.outcomes import BodyKind, outcome_of
from worker.sandbox.wire import Fields, Json

Check = Callable[[Json], None]

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MOST = 1000
_DAY_S = 86_400
_HTTP_DATE = "%a, %d %b %Y %H:%M:%S GMT"
_SOME_DAY = datetime(2026, 11, 20, 9, 6, tzinfo=UTC)


class InvalidFaults(ValueError):
    """The list of faults cannot be read; the text says where and why, and nothing was changed."""


def read_faults(given: Json) -> Faults:
    """Read a whole list. Raises InvalidFaults."""
    if not isinstance(given, list):
        raise InvalidFaults("the faults are not a list")
    if len(given) > MOST:
        raise InvalidFaults(f"there are more than {MOST} faults")
    return Faults(_fault(f"[{number}]", each) for number, each in enumerate(given))


def _fault(where: str, given: Json) -> Fault:
    shown = _object(where, given)
    kind = shown.get("fault")
    if not isinstance(kind, str) or kind not in OPTIONS:
        raise InvalidFaults(f"{where}.fault: none of {', '.join(OPTIONS)}")
    _refuse_unknown(where, shown, {"match", "times", "fault", *OPTIONS[kind]})
    for name in OPTIONS[kind]:
        if name in shown or name in _REQUIRED.get(kind, ()):
            with _at(f"{where}.{name}"):
                OPTIONS[kind][name](shown.get(name))
    fault = Fault(shown, times=_times(where, shown), outcome=outcome_of(kind, shown))
    _add_match(f"{where}.match", fault, shown.get("match", {}))
    _add_effect(fault, kind, shown)
    return fault


def _add_match(where: str, fault: Fault, given: Json) -> None:
    match = _object(where, given)
    _refuse_unknown(where, match, {"method", "path"})
    method, path = match.get("method"), match.get("path")
    kind = fault.given["fault"]
    methods = READS if kind == "stale-read" else METHODS
    if method is not None and method not in methods:
        raise InvalidFaults(f"{where}.method: none of {', '.join(methods)}, which are what {kind} meets")
    if path is None and kind == "poison":
        raise InvalidFaults(f"{where}.path: poison needs the path of an object")
    fault.method = None if method is None else str(method)
    if path is not None:
        with _at(f"{where}.path"):
            fault.path = path_pattern(_path(path))


def _path(given: Json) -> str:
    """Return a path that some call may have. Raises ValueError for one that would never be met."""
    if not isinstance(given, str) or not given.startswith("/v1/"):
        raise ValueError("not a text that begins with /v1/")
    if "**" in given:
        raise ValueError("** is not known: one star stands for one segment or a part of it, and never for more")
    if "?" in given or "#" in given:
        raise ValueError("only the path is compared, so nothing with ? or # in it is ever met")
    if "" in given.split("/")[1:]:
        raise ValueError("there is an empty segment (two slashes, or one at the end), which no path of Migadu's has")
    return given


def _add_effect(fault: Fault, kind: str, shown: Fields) -> None:
    match kind:
        case "latency":
            fault.latency = Latency(_seconds(shown["seconds"]))
        case "stale-read":
            fault.stale = timedelta(seconds=_number(shown["seconds"]))
        case "ignore-fields":
            fault.ignored = frozenset(_texts(shown["fields"]))
        case "null-booleans":
            fault.nulled = frozenset(_texts(shown.get("fields", list(MAY_BE_NULL))))


def _times(where: str, shown: Fields) -> int | None:
    times = shown.get("times")
    if times is None:
        return None
    if isinstance(times, int) and not isinstance(times, bool) and times >= 1:
        return times
    raise InvalidFaults(f"{where}.times: not a whole number from 1 on")


def _number(value: Json) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LONGEST_S:
        return value
    raise ValueError(f"not a number of seconds from 0 to {LONGEST_S:.0f}")


def _seconds(value: Json) -> Seconds:
    if not isinstance(value, list):
        return _number(value)
    if len(value) != 2 or _number(value[0]) > _number(value[1]):
        raise ValueError("not two numbers of seconds, the lower first")
    return _number(value[0]), _number(value[1])


def _texts(value: Json) -> list[str]:
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return [str(item) for item in value]
    raise ValueError("not a list of names of fields")


def _fields(value: Json) -> None:
    _refuse_unknown_names(_texts(value), FIELDS, "a field")


def _booleans(value: Json) -> None:
    _refuse_unknown_names(_texts(value), BOOLEANS, "a boolean field")


def _refuse_unknown_names(names: list[str], known: AbstractSet[str], kind: str) -> None:
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            raise ValueError(f"{name!r} is not {kind} of any object{f'; {close[0]!r} is' if close else ''}")


def _body(value: Json) -> None:
    if value not in list(BodyKind):
        raise ValueError(f"none of {', '.join(BodyKind)}")


def _retry_after(value: Json) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _DAY_S
    if not is_number and not _is_http_date(value):
        raise ValueError(
            f"neither a number of seconds nor a date: 0 to {_DAY_S}, or as HTTP writes it, {_http_date(_SOME_DAY)}"
        )


def _is_http_date(value: Json) -> bool:
    """Tell whether this is a date in the one form that HTTP lets be sent (RFC 9110, 5.6.7), its weekday right."""
    if not isinstance(value, str):
        return False
    try:
        return _http_date(datetime.strptime(value, _HTTP_DATE).replace(tzinfo=UTC)) == value
    except ValueError:
        return False


def _http_date(instant: datetime) -> str:
    return format_datetime(instant, usegmt=True)


def _object(where: str, given: Json) -> Fields:
    if isinstance(given, dict):
        return given
    raise InvalidFaults(f"{where}: not an object")


def _refuse_unknown(where: str, given: Fields, known: set[str]) -> None:
    for name in given:
        if name not in known:
            raise InvalidFaults(f"{where}: unknown field {name!r}")


@contextmanager
def _at(where: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise InvalidFaults(f"{where}: {error}") from error


OPTIONS: Mapping[str, Mapping[str, Callable[[Json], object]]] = {
    "drop-before-apply": {},
    "drop-after-apply": {},
    "500-before-apply": {"body": _body},
    "500-after-apply": {"body": _body},
    "502-before-apply": {"body": _body},
    "502-after-apply": {"body": _body},
    "503": {"body": _body, "retry_after": _retry_after},
    "504-before-apply": {"body": _body},
    "504-after-apply": {"body": _body},
    "429": {"retry_after": _retry_after},
    "throttle-403": {},
    "plan-limit-403": {},
    "401": {},
    "ignore-fields": {"fields": _fields},
    "stale-read": {"seconds": _number},
    "latency": {"seconds": _seconds},
    "null-booleans": {"fields": _booleans},
    "poison": {"body": _body},
}
"""Every fault, and how each of its options is checked."""

_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "ignore-fields": ("fields",),
    "stale-read": ("seconds",),
    "latency": ("seconds",),
}
