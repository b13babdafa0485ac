"""The file of a trial, as the table in the sources file has its sender write it."""

import io
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.roster_texts import TAKEN, read, source
from worker.events import FACTS
from worker.sources.roster_files import Contents, read_roster
from worker.sources.roster_files.trial import roster_of_nobody

FED = sorted({*FACTS, "status", "costCode"} - {"immediate"})

headers = st.text(st.characters(codec="cp1252", exclude_categories=("C", "Z")), min_size=1, max_size=20)
tables = st.fixed_dictionaries(
    {
        "columns": st.dictionaries(headers, st.sampled_from(FED), max_size=12).map(
            lambda columns: {name: header for header, name in columns.items()}
        ),
        "format": st.sampled_from(["csv", "json", "ndjson"]),
        "encoding": st.sampled_from([None, "utf-8", "utf-16", "cp1252"]),
        "delimiter": st.sampled_from([None, ",", ";", "|", "\t"]),
        "date_formats": st.sampled_from([("%d.%m.%Y",), ("%Y-%m-%d", "%d/%m/%y"), ("%d %B %Y",)]),
        "statuses": st.sampled_from([{"Beschäftigt": "active", "Weg": "left"}, {"Weg": "left"}]),
        "separator": st.sampled_from([";", " / "]),
    }
)


@given(tables)
def test_the_file_of_a_trial_is_read_by_the_table_that_it_is_made_by(table: dict[str, Any]) -> None:
    """It lists nobody, without a fault, and with every fact that a column feeds."""
    columns = {header: name for name, header in table["columns"].items()} | {"Key no.": "subject"}
    form = source(**table | {"columns": columns})
    contents = Contents()
    rows = [row.snapshot for row in read_roster(io.BytesIO(roster_of_nobody(form, TAKEN)), form, TAKEN, contents)]
    assert contents.faults == []
    (row,) = rows
    assert row.subject == "mailroster-test"
    assert set(columns.values()) - {"subject", "status"} <= row.facts.keys()


def test_a_column_that_feeds_several_holds_what_fits_all() -> None:
    """A fact that is any text takes what a choosier one needs."""
    form = source(columns={"Nr": ["subject", "employeeNumber"], "Mail": ["costCode", "workEmail"]})
    told, faults = read(roster_of_nobody(form, TAKEN), columns=form.columns)
    assert faults == []
    assert told["mailroster-test"]["workEmail"] == "test@example.org"


def test_a_header_that_the_encoding_cannot_hold_is_a_fault() -> None:
    """The file of such a sender could not be read either."""
    keys = {"columns": {"社員番号": "subject"}, "encoding": "cp1252"}
    _, faults = read(roster_of_nobody(source(**keys), TAKEN), **keys)
    assert "there is no column" in faults[0]
