"""Roster files: CSV, JSON and NDJSON, read row by row into what a source states of each person in them.

Bytes in, values and faults out. A fault names the line and the column, never what stands there. Where files come from,
and what follows from them, is decided elsewhere.
"""

from worker.sources.roster_files.faults import Fault, FileBroken
from worker.sources.roster_files.forms import FileSource, FolderSource, form_of
from worker.sources.roster_files.reading import Contents, Row, read_roster

__all__ = ["Contents", "Fault", "FileBroken", "FileSource", "FolderSource", "Row", "form_of", "read_roster"]
