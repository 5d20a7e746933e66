"""The door to the results workbook: written whole or not at all, and read back before it counts."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from batchrun.io import doubts_sheet
from batchrun.io.whole_file import sha256_of_open, whole_file
from batchrun.io.workbook_body import MAX_ROWS, SheetBody, splice, verify
from batchrun.io.workbook_cells import CellEncoders
from batchrun.io.workbook_content import WorkbookContent
from batchrun.io.workbook_extra_sheets import dress_extra, name_areas
from batchrun.io.workbook_problems import dress_no_problems, dress_problems, spool_problems
from batchrun.io.workbook_results import columns, dress_results, spool_results
from batchrun.io.workbook_style import Styles
from batchrun.io.workbook_summary import dress_summary
from batchrun.io.workbook_taken import Taken
from batchrun.io.workbook_text import safe_text

if TYPE_CHECKING:
    from openpyxl import Workbook

__all__ = ["MAX_ROWS", "Sheet", "WorkbookContent", "Written", "save_sheets", "write_workbook"]

_PROPERTIES, _STYLES = "docProps/core.xml", "xl/styles.xml"
_FIRST_FONT = re.compile(rb"<font>.*?</font>", re.DOTALL)
_DEFAULT_FONT = b'<font><sz val="10"/><name val="Arial"/><family val="2"/></font>'


class Sheet(NamedTuple):
    """One sheet to be: its name, what dresses the worksheet, and its rows where they are many."""

    title: str
    dress: Callable[..., None]
    body: SheetBody | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: the file's SHA-256, and each Results column's width (0 where a person set it), by header.

    The widths are for `keep`, when the workbook comes back. `notes` say in sentences what could not come along whole.
    """

    sha256: str
    widths: dict[str, float]
    notes: tuple[str, ...] = ()


def write_workbook(
    path: Path, content: WorkbookContent, *, max_rows: int = MAX_ROWS, unless_changed: str | None = None
) -> Written:
    """Write the results workbook and answer what was written.

    Results beyond `max_rows` go on to `Results 2`. What was at `path` stays whole until the new file was read back, and
    is left alone if it has another SHA-256 than `unless_changed` by then. Stopped where reading it back fails, OSError
    where it cannot be written, ChangedMeanwhile among them.
    """
    from openpyxl import Workbook

    workbook = Workbook()
    with whole_file(path, unless_changed=unless_changed) as file, ExitStack() as held:
        folder = path.resolve().parent
        cells = CellEncoders(Styles(workbook).number)
        plan = columns(content, cells)
        taken = Taken(content, [column.name for column in plan], cells, max_rows)
        results, widths = spool_results(content, plan, taken, folder, max_rows, held)
        sheets = [Sheet(part.title, dress_results(content, plan, taken, part, widths), part.body) for part in results]
        sheets += _other_sheets(content, cells, taken, folder, max_rows, held)
        name_areas(workbook, taken.defined_names)
        sha256 = save_sheets(workbook, sheets, content.summary.title, content.made_at, file)
    return Written(sha256, taken.written_widths(widths), tuple(taken.notes()))


def _other_sheets(
    content: WorkbookContent, cells: CellEncoders, taken: Taken, folder: Path, max_rows: int, held: ExitStack
) -> Iterator[Sheet]:
    title = content.summary.title
    yield Sheet("Summary", dress_summary(content.summary))
    bodies, widths = spool_problems(content, cells, folder, max_rows, held)
    for count, body in enumerate(bodies, 1):
        yield Sheet("Problems" if count == 1 else f"Problems {count}", dress_problems(body, widths, title), body)
    if not bodies:
        yield Sheet("Problems", dress_no_problems(title))
    if content.doubts:
        yield Sheet(doubts_sheet.TITLE, doubts_sheet.dress_doubts(content.doubts, title))
    for extra in content.kept.sheets if content.kept is not None else ():
        yield Sheet(extra.title, dress_extra(extra, taken.sheets))


def save_sheets(workbook: Workbook, sheets: list[Sheet], title: str, made_at: datetime | None, file: BinaryIO) -> str:
    """Save `sheets` to `file`, read it back, and answer its SHA-256. The cells' styles belong to `workbook`."""
    workbook.remove(workbook.worksheets[0])
    bodies: dict[str, SheetBody] = {}
    made = {}
    for sheet in sheets:
        made[sheet.title] = workbook.create_sheet(sheet.title)
        sheet.dress(made[sheet.title])
    frame = io.BytesIO()
    workbook.save(frame)
    for sheet in sheets:
        if sheet.body is not None:
            bodies[made[sheet.title].path.lstrip("/")] = sheet.body
    replaced = {_PROPERTIES: _properties(workbook, title, made_at), _STYLES: _in_arial(frame)}
    splice(frame, bodies, replaced, file)
    verify(file, {name: body.rows for name, body in bodies.items()})
    return sha256_of_open(file)


def _in_arial(frame: BinaryIO) -> bytes:
    # Column widths are counted in digits of the default font, the first. openpyxl's is Calibri, which LibreOffice
    # replaces by a wider one where it is missing; it has no public name for changing it.
    with zipfile.ZipFile(frame) as archive:
        return _FIRST_FONT.sub(_DEFAULT_FONT, archive.read(_STYLES), count=1)


def _properties(workbook: Workbook, title: str, made_at: datetime | None) -> bytes:
    # Only after saving, which stamps the clock's time: the same content makes the same file.
    from openpyxl.xml.functions import tostring

    properties = workbook.properties
    properties.creator, properties.title = "batchrun", safe_text(title)
    when = (made_at or datetime.min.replace(tzinfo=UTC)).astimezone(UTC).replace(tzinfo=None)
    properties.created = properties.modified = when
    tree = properties.to_tree()
    if made_at is None:
        for stamp in [part for part in tree if part.tag.endswith(("}created", "}modified"))]:
            tree.remove(stamp)
    written: bytes = tostring(tree)
    return written
