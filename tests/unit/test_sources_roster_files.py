"""Roster files: what is read in CSV, JSON and NDJSON, and where each fault is."""

import io
import json
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.roster_texts import read, source
from worker.sources import SourcesInvalid, load_sources
from worker.sources.roster_files.bounds import LONGEST_ROW
from worker.sources.roster_files.json_items import items

HEAD = "subject,givenName\n"


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        ("subject,givenName\nE1,Jürgen\n", {}),
        ("\ufeffsubject,givenName\r\nE1,Jürgen\r\n", {}),
        ("Subject ;GIVEN NAME\nE1;Jürgen", {}),
        ("subject\tgiven_name\nE1\tJürgen\n", {}),
        ("\n\nsubject|given-name|salary\nE1|Jürgen|1\n,,\n\n".replace(",,", "||"), {}),
        ('"subject","givenName"\n"E1"," Jürgen "\n', {}),
        ("Nr.;a;Rufname\nE1;,,,;Jürgen\n", {"columns": {"Nr.": "subject", "Rufname": "givenName"}}),
        ("givenName,subject,Vorname\nx,E1,Jürgen\n", {"columns": {"Vorname": "givenName"}}),
        ('[{"subject": "E1", "givenName": "Jürgen", "deep": {"er": [{}]}}]', {}),
        ('{"page": {"of": [1]}, "people":\n[{"subject": "E1", "givenName": "J\\u00fcrgen"}], "n": 1}', {}),
        ('{"a": [1], "people": [{"subject": "E1", "givenName": "Jürgen"}]}', {"items": "people"}),
        ('{"subject": "E1", "givenName": "Jürgen", "groups": ["]"]}\n', {}),
        ('\n{"subject": "E1", "givenName": "Jürgen"}\n\n', {"format": "ndjson"}),
    ],
)
def test_form_is_found_out(content: str, keys: dict[str, Any]) -> None:
    """Headers, delimiters, marks and formats; blank rows and columns that nobody asks for are passed over."""
    told, faults = read(content, **keys)

    assert faults == []
    assert told["E1"]["givenName"] == "Jürgen"
    assert told.keys() == {"E1"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encoding_is_found_out(encoding: str) -> None:
    """UTF-8 and UTF-16 by their mark or content, and what is no UTF-8 as Windows has it."""
    told, faults = read((HEAD + "E1,Jürgen\n").encode(encoding))

    assert (told, faults) == ({"E1": {"givenName": "Jürgen"}}, [])


def test_encoding_is_as_declared() -> None:
    """What could be read otherwise, too."""
    told, _ = read((HEAD + "E1,Łukasz\n").encode("iso8859-2"), encoding="iso8859-2")

    assert told == {"E1": {"givenName": "Łukasz"}}


def test_quoted_cells_hold_line_ends_and_delimiters() -> None:
    """Lines are counted as an editor counts them."""
    told, faults = read('subject,givenName\nE1,"Ada\r\nAugusta, ""the first"""\nE2,\x07\n')

    assert told == {"E1": {"givenName": 'Ada Augusta, "the first"'}}
    assert faults == ["line 4, column givenName: must not hold control characters"]


@pytest.mark.parametrize(
    ("content", "keys", "facts"),
    [
        ("subject,title,hireDate\nE1,,\n", {}, {}),
        ("subject,title,hireDate\nE1, ,\n", {"empty": "null"}, {"title": None, "hireDate": None}),
        ('[{"subject": 1, "title": null, "department": ""}]', {}, {"title": None}),
        ("subject,hireDate\nE1,2026-11-23\n", {}, {"hireDate": "2026-11-23"}),
        ("subject,hireDate\nE1,23.11.2026\n", {"date_formats": ["%d.%m.%Y"]}, {"hireDate": "2026-11-23"}),
        ("subject,hireDate\nE1,11/23/26\n", {"date_formats": ["%d/%m/%y", "%m/%d/%y"]}, {"hireDate": "2026-11-23"}),
        ("subject,hireDate\nE1,11/11/26\n", {"date_formats": ["%d/%m/%y", "%m/%d/%y"]}, {"hireDate": "2026-11-11"}),
        ("subject,groups\nE1,staff; all;\n", {}, {"groups": ("staff", "all")}),
        ("subject,status\nE1,  ACTIVE\n", {}, {"status": "active"}),
        ("subject,Status\nE1,Im Urlaub\n", {"statuses": {"im  urlaub": "suspended"}}, {"status": "suspended"}),
        ("subject,status\nE1,\n", {}, {}),
        ("Id\nE1\n", {"columns": {"Id": ["subject", "employeeNumber"]}}, {"employeeNumber": "E1"}),
        ("subject,x\nE1,44\n", {"columns": {"x": "shoeSize"}}, {"shoeSize": "44"}),
        (
            '{"subject": "E1", "shoe": 44, "costCenter": 7}',
            {"columns": {"shoe": "shoeSize"}, "format": "ndjson"},
            {"shoeSize": 44, "costCenter": "7"},
        ),
    ],
)
def test_cells_become_facts(content: str, keys: dict[str, Any], facts: dict[str, Any]) -> None:
    """What is empty is unknown unless it is declared as known to be empty; an absent column is not there at all."""
    told, faults = read(content, **keys)

    assert faults == []
    assert list(told.values()) == [facts]


@pytest.mark.parametrize(
    ("content", "keys", "fault"),
    [
        ("", {}, "the file is empty"),
        (" \n\n", {}, "the file is empty"),
        (HEAD, {}, "the file holds nobody"),
        ("[]", {}, "the file holds nobody"),
        ("Hugo,Secret\nE1,Ada\n", {}, 'line 1: there is no column "subject", which names the person'),
        ("Hugo\nE1\n", {"columns": {"Nr": "subject"}}, "line 1: there is no column 'Nr', which names the person"),
        ("subject,given name,givenName\n", {}, "line 1, column givenName: columns 2 and 3 both are givenName"),
        (HEAD + "E1\n", {}, "line 2: the row has 1 cells, the header 2"),
        (HEAD + "E1,Secret,x\n", {}, "line 2: the row has 3 cells, the header 2"),
        (HEAD + 'E1,"Secret\nE2,x\n', {}, "line 3: a quote lacks its end"),
        (HEAD + 'E1,"Secret"x\n', {}, "line 2: this is no CSV: mind its quotes"),
        (HEAD + " ,Secret\n", {}, "line 2, column subject: the key of the person is missing"),
        (HEAD + "a@secret.example,x\n", {}, "line 2, column subject: must be a stable key of the person"),
        (HEAD + "E1,x\nE2,x\n E1,x\n", {}, "line 4, column subject: the same person stands in line 2 already"),
        (HEAD + f"E1,{'Secret' * LONGEST_ROW}\n", {}, "line 2: the line is longer than 65,536 characters"),
        (HEAD + 'E1,"' + "Secret\n" * LONGEST_ROW, {}, "the row that ends here is longer than 65,536 characters"),
        (HEAD + f"E1,{'Secret' * 100}\n", {}, "line 2, column givenName: may have 256 characters, this one has 600"),
        ("subject,hireDate\nE1,1.2.2026\n", {}, "line 2, column hireDate: a date such as 2026-11-23 is expected"),
        (
            "subject,Eintritt\nE1,01/02/2026\n",
            {"date_formats": ["%d/%m/%Y", "%m/%d/%Y"], "columns": {"Eintritt": "hireDate"}},
            "line 2, column Eintritt: the date is ambiguous",
        ),
        ("subject,status\nE1,Secret\n", {}, "line 2, column status: this is none of the words in `statuses`"),
        (HEAD.encode() + b"E1,J\x81rgen\n", {}, "line 2: this is text neither in UTF-8 nor in Windows-1252"),
        (HEAD.encode() + b"E1,J\xfcrgen\n", {"encoding": "utf-8"}, "line 2: this is not text in utf-8"),
        ((HEAD + "E1,x\n").encode("utf-16-le"), {}, "line 1: there is a NUL, which no text has"),
        ('[{"subject": "E1"},', {}, "line 1: the document ends before its end: it may be cut off"),
        ('{"a": 1', {}, "line 1: the document ends before its end: it may be cut off"),
        ('[{"subject": "E1"}]\n[]', {}, "line 2: there is something behind the document"),
        ('{"a": 1}', {"format": "json"}, "the object holds no list"),
        ('{"a": []}', {"items": "b", "format": "json"}, "the object holds no list 'b'"),
        ('{"a": [{}], "b": [{}]}', {}, "line 1: the object holds several lists: say which with `items`"),
        ("[,]", {}, "line 1: a comma stands where an object is expected"),
        ("[}", {}, "line 1: a bracket is closed that is not open"),
        ("1", {"format": "json"}, "line 1: a list of objects, or an object that holds one, is expected"),
        ('[\n{"subject": "E1"},\n"Secret"]', {}, "line 3, item 2: an object is expected"),
        ('[{"subject": "Secret" "x"}]', {}, "line 1, item 1: this is not valid JSON"),
        ('[{"subject": "E1", "shoe": Infinity}]', {}, "line 1, item 1: this is not valid JSON"),
        ('[{"givenName": "Secret"}]', {}, 'line 1, item 1: there is no column "subject"'),
        ('[{"subject": "E1", "Subject": "Secret"}]', {}, "line 1, item 1: two keys of the object are subject"),
        ('[{"subject": "E1", "title": ["Secret"]}]', {}, "line 1, item 1, column title: text is expected, not a list"),
        ('[{"subject": "E1", "title": "' + "Secret" * LONGEST_ROW + '"}]', {}, "line 1: the item is longer than"),
        ("[{" + '"subject": "E1", ' * LONGEST_ROW, {}, "line 1: the item is longer than"),
        ('{"subject": "E1"}\nSecret\n', {}, "line 2: this is not valid JSON"),
        ("[" * 30_000, {}, "line 1: the document ends before its end"),
    ],
)
def test_a_fault_is_told_by_its_place(content: str | bytes, keys: dict[str, Any], fault: str) -> None:
    """Line and column, and nothing of what stands there."""
    _, faults = read(content, **keys)

    assert [one for one in faults if fault in one], faults
    assert "secret" not in " ".join(faults).lower()


def test_all_faults_are_counted_and_the_first_told() -> None:
    """So that a file can be mended at once."""
    _, faults = read("subject,hireDate,country\n" + "".join(f"E{n},soon,Narnia\n" for n in range(40)))

    assert len(faults) == 20
    assert faults[1].startswith("line 3, column hireDate: a date such as 2026-11-23 is expected; other formats are")


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ('kind = "file"\npath = "x"', "line 3: sources.x.path: unknown key"),
        ('kind = "folder"', "line 1: sources.x.path: is required"),
        ('kind = "file"\nsecret_env = "A"', "line 3: sources.x.secret_env: unknown key"),
        ('kind = "file"\nencoding = "hex"', "line 3: sources.x.encoding: is no encoding that is known"),
        ('kind = "file"\ndate_formats = ["%d.%m."]', r"line 3: sources.x.date_formats\[0\]: must hold day"),
        ('kind = "file"\ncolumns = { A = "a b" }', "line 3: sources.x.columns.A: must be an attribute"),
        ('kind = "file"\ncolumns = { A = "immediate" }', "line 3: sources.x.columns.A: immediate is no fact"),
        ('kind = "file"\ncolumns = { A = "title", B = "title" }', "sources.x.columns.B: title is fed by 'A' already"),
        ('kind = "file"\nstatuses = { A = "gone" }', "line 3: sources.x.statuses.A: must be 'active', 'suspended' or"),
        ('kind = "file"\nfloor = 1.5', "line 3: sources.x.floor: must not be more than 1"),
        ('kind = "file"\ncomplete_snapshots = 1', "line 3: sources.x.complete_snapshots: must not be less than 2"),
        ('kind = "folder"\npath = "x"\ndone = "done"', "line 4: sources.x.done"),
    ],
)
def test_a_wrong_table_is_told_by_line_and_key(table: str, sentence: str) -> None:
    """As of every kind."""
    with pytest.raises(SourcesInvalid, match=sentence):
        load_sources(f"[sources.x]\n{table}\n", {})


TEXTS = st.text(alphabet=st.sampled_from('subjectgivenName,;\t|"\n\r\\{}[]: 1.é\0'), max_size=200)
PIECES = st.lists(
    st.sampled_from(
        [
            "subject,hireDate\n",
            '"',
            "\n",
            ",",
            ";",
            "E1",
            '{"subject":',
            '"E1"',
            "[",
            "]",
            "{",
            "}",
            ":",
            "1e999",
            "\\u",
        ]
    ),
    max_size=30,
).map("".join)
FORMS = st.sampled_from([{}, *({"format": form} for form in ("csv", "json", "ndjson")), {"empty": "null"}])


@given(st.one_of(st.binary(max_size=400), TEXTS.map(str.encode), PIECES.map(str.encode)), FORMS)
def test_whatever_the_bytes_are_there_are_rows_or_faults(content: bytes, keys: dict[str, Any]) -> None:
    """Nothing is raised, and a file in which nobody is found has a fault."""
    told, faults = read(content, **keys)

    assert told or faults
    assert all(re.match(r"(line|item|the )", fault) for fault in faults)


PEOPLE = st.dictionaries(
    st.text(alphabet=st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8),
    st.fixed_dictionaries(
        {}, optional={name: st.text(max_size=20) for name in ("givenName", "title")} | {"groups": st.just(["a", "b"])}
    ),
    min_size=1,
    max_size=5,
)


@given(PEOPLE, st.sampled_from(["json", "ndjson", "object"]), st.booleans())
def test_json_is_cut_where_its_objects_end(people: dict[str, Any], form: str, indented: bool) -> None:  # noqa: FBT001
    """However it is laid out, the same is read as from each object alone."""
    objects = [{"subject": subject, **facts} for subject, facts in people.items()]
    lines = "\n".join(json.dumps(each) for each in objects)
    document = {"json": objects, "object": {"meta": {"a": [1, {"b": []}]}, "people": objects}}.get(form)
    text = lines if form == "ndjson" else json.dumps(document, indent=2 if indented else None, ensure_ascii=False)
    told, faults = read(text, format="ndjson" if form == "ndjson" else "json")

    alone = [read(json.dumps(each), format="ndjson") for each in objects]
    assert told == {subject: facts for each, _ in alone for subject, facts in each.items()}
    assert len(faults) == min(20, sum(len(each) for _, each in alone))


class _Trickling(io.StringIO):
    """Text of which no more comes at once than up to the next of some places."""

    def __init__(self, text: str, places: list[int]) -> None:
        super().__init__(text)
        self._places = sorted(places)

    def read(self, size: int | None = -1) -> str:
        """Return what there is up to a place, or to the end."""
        ahead = [place - self.tell() for place in self._places if place > self.tell()]
        return super().read(min(ahead, default=size))


@given(
    st.lists(
        st.recursive(st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3), max_leaves=4)
    ),
    st.text(alphabet=" \n\t", max_size=6),
    st.lists(st.integers(1, 400), max_size=30),
)
def test_json_is_cut_alike_wherever_its_text_is_parted(values: list[Any], blanks: str, places: list[int]) -> None:
    """Text arrives in pieces, and none of their ends is seen in what was read, the lines of it included."""
    text = blanks + json.dumps({"n": 1, "of": values}, indent=1).replace(",", f"{blanks},{blanks}") + blanks

    assert [*items(_Trickling(text, places), "of")] == [*items(io.StringIO(text), "of")]


@pytest.mark.parametrize("blank", [" ", "\n"])
def test_blanks_in_json_cost_no_more_the_more_there_are(blank: str) -> None:
    """Eight times as many take about eight times as long; were each piece gone through anew, it would be fifty."""

    def cost(number: int) -> float:
        text = io.StringIO(f"[{{}},{blank * number}{{}}]")
        began = time.thread_time()
        assert len([*items(text, None)]) == 2
        return time.thread_time() - began

    assert cost(8 << 20) < 24 * min(cost(1 << 20) for _ in range(3))


def test_a_source_of_another_kind_has_files_plainly() -> None:
    """What its table says of hooks is no concern of files."""
    assert source().statuses.keys() == {"active", "suspended", "left"}
