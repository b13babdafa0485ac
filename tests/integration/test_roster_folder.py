"""A watched folder: what has settled is taken once, imported, and put aside with its result."""

import json
import os
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

from tests.integration.office import Office
from worker.intake.rosters import Interrupted
from worker.intake.rosters.comparing import AT_ONCE
from worker.intake.rosters.folder import Folder
from worker.intake.rosters.watching import MOST_TRIES, look_once
from worker.sources.roster_files import FolderSource
from worker.sources.source import SourceKind
from worker.store.database import DatabaseFailure

ADA = "subject,givenName\nE1,Ada\n"
SETTLED_S = 10.0


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder of the source that makes people."""
    return watched(tmp_path / "drop")


def watched(path: Path, **keys: Any) -> Folder:
    """Return a folder as a worker sees it that has just started."""
    path.mkdir(exist_ok=True)
    table = {"name": "hr", "kind": SourceKind.FOLDER, "creates": True, "path": path, **keys}
    return Folder(FolderSource.model_validate(table))


def drop(folder: Folder, name: str, content: str = ADA) -> Path:
    """Write a file into the folder."""
    path = folder.source.path / name
    path.write_text(content)
    return path


def look(office: Office, folder: Folder, *instants: float, **more: Any) -> int:
    """Look at the folder at some instants of its clock, and return how many files ended."""
    return sum(look_once(office.intake, folder, now_s, **more) for now_s in instants or (0.0, SETTLED_S))


def files(folder: Folder, room: str) -> list[str]:
    """Return what lies in a room, the stamps taken off."""
    names = sorted(path.name for path in (folder.source.path / room).iterdir())
    return [name.partition("-")[2] or name for name in names if name != ".lock"]


def result(folder: Folder, room: str) -> dict[str, Any]:
    """Return the one result of a room."""
    (path,) = (folder.source.path / room).glob("*.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_a_roster_that_has_settled_is_imported(office: Office, folder: Folder) -> None:
    """Its file and its result lie in ``processed``; nobody's name is in the result."""
    drop(folder, "export.csv")

    assert look(office, folder) == 1
    assert files(folder, "processed") == ["export.csv", "export.csv.json"]
    told = result(folder, "processed")
    assert (told["state"], told["rows"], told["differences"]) == ("processed", 1, {"person.joined": 1})
    assert "Ada" not in json.dumps(told)
    assert [event.subject for event in office.events()] == ["E1"]
    assert look(office, folder, 20.0, 40.0) == 0


def test_a_file_that_grows_is_left_alone(office: Office, folder: Folder) -> None:
    """As long as size or time change, however slowly, it is somebody else's."""
    path = drop(folder, "export.csv", "subject,givenName\n")
    for now_s in (0.0, 9.0, 18.0, 27.0):
        assert look(office, folder, now_s) == 0
        with path.open("a") as growing:
            growing.write(f"E{now_s:.0f},Ada\n")

    assert look(office, folder, 36.0, 45.0) == 0
    assert look(office, folder, 46.0) == 1
    assert len(office.events()) == 4


@pytest.mark.parametrize("half", ["subject,givenName\nE1,Ada\nE2,Bo", "subject,givenName\nE1,Ada\nE2"])
def test_an_upload_that_stalled_is_imported_once_more_as_a_whole(office: Office, folder: Folder, half: str) -> None:
    """Whatever it was taken for, processed or rejected, it is given back once its sender goes on."""
    with drop(folder, "export.csv", half).open("a") as upload:
        assert look(office, folder) == 1
        upload.write((ADA + "E2,Bob\nE3,Cleo\n")[len(half) :])
        upload.flush()
        assert look(office, folder, 20.0, 29.0) == 0
        assert files(folder, "processed") == files(folder, "rejected") == []
    assert look(office, folder, 30.0) == 1

    assert files(folder, "processed") == ["export.csv", "export.csv.json"]
    assert files(folder, "rejected") == []
    stated = {event.subject: event.document["data"]["givenName"] for event in office.events() if event.ce_id}
    assert stated == {"E1": "Ada", "E2": "Bob", "E3": "Cleo"}
    assert look(office, folder, 40.0, 60.0) == 0


def test_a_file_that_somebody_saves_where_it_was_put_is_no_upload(office: Office, folder: Folder) -> None:
    """An older roster would undo what newer ones state: neither a copy in its place nor a shorter text is believed."""
    for name in ("first.csv", "second.csv"):
        drop(folder, name)
        assert look(office, folder) == 1
    drop(folder, "third.csv", ADA.replace("Ada", "Augusta"))
    assert look(office, folder) == 1

    saved, shortened = (next((folder.source.path / "processed").glob(f"*-{name}.csv")) for name in ("first", "second"))
    (folder.source.path / "copy").write_text(f"{ADA}\n")
    (folder.source.path / "copy").rename(saved)
    shortened.write_text(ADA.strip())
    assert look(office, folder, 20.0, 40.0) == 0
    assert len(files(folder, "processed")) == 6


def test_an_upload_that_goes_on_while_it_is_read_is_not_believed(office: Office, folder: Folder) -> None:
    """Nothing of it is accepted before it has come to rest."""
    rows = "".join(f"E{number},Ada\n" for number in range(2 * AT_ONCE))
    with drop(folder, "export.csv", f"subject,givenName\n{rows}E9999,Bo").open("a") as upload:

        def goes_on() -> bool:
            if not (folder.source.path / "export.csv").exists() and not upload.tell() > begun:
                upload.write("b\n")
                upload.flush()
            return False

        begun = upload.tell()
        assert look(office, folder, is_stopping=goes_on) == 0
        assert upload.tell() > begun
        assert office.events() == []
        assert (folder.source.path / "export.csv").exists()
    assert look(office, folder, 20.0, 30.0) == 1
    assert result(folder, "processed")["accepted"] == 2 * AT_ONCE + 1


@pytest.mark.parametrize(
    "name", [".hidden.csv", "a.csv.part", "a.csv.filepart", "a.TMP", "a.csv.tmp", "a.json", "a.db"]
)
def test_names_of_what_is_not_finished_are_passed_over(office: Office, tmp_path: Path, name: str) -> None:
    """And those that the pattern does not fit."""
    folder = watched(tmp_path / "drop", pattern=["*.csv*", "*.tmp"])
    drop(folder, name)

    assert look(office, folder) == 0


def test_a_marker_says_that_a_file_is_done(office: Office, tmp_path: Path) -> None:
    """Then it is taken at once, and without it never; the marker goes with it."""
    folder = watched(tmp_path / "drop", done=".done")
    drop(folder, "export.csv")
    waited = look(office, folder, 0.0, 1000.0)
    drop(folder, "export.csv.done", "")

    assert (waited, look(office, folder, 1000.0)) == (0, 1)
    assert not (folder.source.path / "export.csv.done").exists()


def test_nothing_outside_is_read(office: Office, folder: Folder, tmp_path: Path) -> None:
    """A link to a file elsewhere is no file of the folder, whether dropped or put in the working room."""
    secret = tmp_path / "elsewhere.csv"
    secret.write_text(ADA)
    (folder.source.path / "link.csv").symlink_to(secret)
    (folder.source.path / "pipe.csv").mkdir()
    assert look(office, folder) == 0
    (folder.source.path / "working" / "20260302T090000.000000Z~1~link.csv").symlink_to(secret)

    assert look(office, folder) == 0
    assert (office.events(), secret.read_text()) == ([], ADA)


@pytest.mark.parametrize("room", ["working", "processed", "rejected"])
def test_rooms_that_lead_elsewhere_are_refused(office: Office, folder: Folder, tmp_path: Path, room: str) -> None:
    """Whoever may drop files must not have us write into a folder of their choice."""
    elsewhere = tmp_path / "their choice"
    elsewhere.mkdir(exist_ok=True)
    (folder.source.path / room).symlink_to(elsewhere)
    drop(folder, "export.csv")

    with pytest.raises(NotADirectoryError, match="no link"):
        look(office, folder)


def test_a_roster_with_a_fault_is_rejected(office: Office, folder: Folder) -> None:
    """With every fault by its place, and a row in the inbox, where the health of a source is read."""
    drop(folder, "export.csv", "subject,hireDate\nE1,tomorrow\n")

    assert look(office, folder) == 1
    assert files(folder, "rejected") == ["export.csv", "export.csv.json"]
    told = result(folder, "rejected")
    assert (told["state"], told["fault_count"], told["faults"][0]["line"]) == ("rejected", 1, 2)
    (kept,) = office.events()
    assert (kept.state, "line 2, column hireDate" in str(kept.reason)) == ("rejected", True)
    assert "tomorrow" not in json.dumps([told, kept.document, kept.reason])


def test_files_are_taken_in_the_order_of_their_times(office: Office, folder: Folder) -> None:
    """The newest export has the last word."""
    for days, name, department in ((1, "a.csv", "New"), (2, "b.csv", "Old")):
        path = drop(folder, name, f"subject,givenName,department\nE1,Ada,{department}\n")
        os.utime(path, (1e9 - days * 86_400, 1e9 - days * 86_400))

    assert look(office, folder) == 2
    assert [event.document["data"]["department"] for event in office.events()] == ["Old", "New"]


def test_many_workers_take_each_file_once(office: Office, tmp_path: Path) -> None:
    """Whoever has the turn takes them; nobody waits, and nothing is imported twice."""
    count, workers = 12, [watched(tmp_path / "drop") for _ in range(4)]
    for number in range(count):
        drop(workers[0], f"{number:02}.csv", f"subject,givenName\nE{number},Ada\n")
    ended: list[int] = []

    def work(folder: Folder) -> None:
        ended.append(look(office, folder, 0.0, *[SETTLED_S] * 3))

    threads = [threading.Thread(target=work, args=(folder,)) for folder in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ended.append(look(office, workers[0]))

    assert sum(ended) == count
    assert len(office.events()) == count
    assert files(workers[0], "working") == []


def _stopped(_: Office, __: pytest.MonkeyPatch) -> type[Exception]:
    return Interrupted


def _without_database(office: Office, patch: pytest.MonkeyPatch) -> type[Exception]:
    def fails(*_: Any, **__: Any) -> Any:
        raise DatabaseFailure("away")

    patch.setattr("worker.intake.rosters.importing.accept", fails)
    return DatabaseFailure


@pytest.mark.parametrize("cause", [_stopped, _without_database], ids=["stopped", "no database"])
def test_what_cannot_be_imported_now_is_later(
    office: Office, folder: Folder, cause: Callable[[Office, pytest.MonkeyPatch], type[Exception]]
) -> None:
    """The file stays taken, however often; another worker goes on, with the time at which it was taken."""
    drop(folder, "export.csv")
    taken_at = office.clock.now()
    for begun in range(2 * MOST_TRIES):
        with pytest.MonkeyPatch.context() as patch:
            failure = cause(office, patch)
            answers = chain([False] * (not begun), repeat(failure is Interrupted))
            with pytest.raises(failure):
                look(office, folder, 0.0, SETTLED_S, is_stopping=partial(next, answers))
        assert files(folder, "processed") == []
    office.clock.instant += timedelta(hours=1)

    assert look(office, watched(folder.source.path)) == 1
    assert [event.time for event in office.events()] == [taken_at]


def test_a_file_that_ends_its_worker_each_time_is_rejected(office: Office, folder: Folder) -> None:
    """A defect, or a file that is killed with its process, does not stop those behind it for good."""
    drop(folder, "export.csv")
    for _ in range(MOST_TRIES):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("worker.intake.rosters.watching.import_roster", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                look(office, folder)

    assert look(office, folder) == 1
    assert result(folder, "rejected")["faults"][0]["reason"].startswith("its import was begun 5 times")
    assert office.events()[0].state == "rejected"


def test_a_complete_roster_every_night(office: Office, tmp_path: Path) -> None:
    """``full`` counts who is absent, night by night; a truncated file is rejected with its figures."""
    folder = watched(tmp_path / "drop", full=True)
    staff = "subject,givenName\n" + "".join(f"E{number},Ada\n" for number in range(10))
    nights = [staff, *[staff.replace("E9,Ada\n", "")] * 3, ADA]
    for night, content in enumerate(nights):
        drop(folder, f"{night}.csv", content)
        office.clock.instant += timedelta(days=1)
        look(office, folder)
        office.apply_all()

    assert [(event.type, event.subject) for event in office.events()][10:-1] == [("person.left", "E9")]
    assert "it lists 1 (11%)" in result(folder, "rejected")["faults"][0]["reason"]


def test_the_parts_of_an_upload_that_stalls_are_one_opinion(office: Office, tmp_path: Path) -> None:
    """Who stands at the end of a complete roster does not leave because it stalled as often as rosters must agree."""
    folder = watched(tmp_path / "drop", full=True, complete_snapshots=2, floor=0.5)
    rows = [f"E{number},Ada\n" for number in range(10)]
    drop(folder, "first.csv", "".join(["subject,givenName\n", *rows]))
    assert look(office, folder) == 1
    office.apply_all()
    with drop(folder, "export.csv", "".join(["subject,givenName\n", *rows[1:6]])).open("a") as upload:
        for now_s, more in ((20.0, rows[6:8]), (40.0, rows[8:])):
            assert look(office, folder, now_s, now_s + SETTLED_S) == 1
            upload.write("".join(more))
            upload.flush()
    assert look(office, folder, 60.0, 60.0 + SETTLED_S) == 1
    office.apply_all()
    assert {event.type for event in office.events()} == {"person.joined"}

    drop(folder, "next.csv", "".join(["subject,givenName\n", *rows[1:9]]))
    assert look(office, folder, 80.0, 80.0 + SETTLED_S) == 1
    assert [event.subject for event in office.events() if event.type == "person.left"] == ["E0"]


@pytest.mark.parametrize("kind_of_letter", ["b", "\N{LATIN SMALL LETTER A WITH DIAERESIS}"])
@pytest.mark.parametrize("bytes_in_all", [224, 226, 240, 255])
def test_a_name_as_long_as_may_be_stops_nobody(
    office: Office, folder: Folder, bytes_in_all: int, kind_of_letter: str
) -> None:
    """A file whose name leaves no room for a stamp is imported like any other, and those behind it are, too."""
    letters = (bytes_in_all - len(".csv")) // len(os.fsencode(kind_of_letter))
    os.utime(drop(folder, kind_of_letter * letters + ".csv"), (1, 1))
    drop(folder, "next.csv", "subject,givenName\nE2,Bob\n")
    assert look(office, folder) == 2
    assert not [name for name in files(folder, "working") if name.endswith(".csv")]
    assert len(files(folder, "processed")) == 4
    assert all(name.endswith((".csv", ".csv.json")) for name in files(folder, "processed"))


def test_a_name_too_long_for_a_marker_stops_nobody(office: Office, tmp_path: Path) -> None:
    """Where markers are asked for, a file that can have none is left alone, and others are taken."""
    folder = watched(tmp_path / "drop", done=".done")
    drop(folder, "b" * 250 + ".csv")
    drop(folder, "next.csv")
    drop(folder, "next.csv.done", "")
    assert look(office, folder) == 1
