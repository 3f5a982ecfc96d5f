"""Files as they were read and what they would change, kept in memory from one page of an import to the next."""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from matcher.errors import InputError, Problem
from matcher.instance import today
from matcher.readers import Reading as FilesRead
from service import importing
from service.importing import Echo
from service.importing.uploads import Upload
from service.repository import Repository


@dataclass(frozen=True)
class Looked:
    """Files as they were read, and what they would change; or what has to be mended first."""

    stamp: str
    reading: FilesRead
    echo: Echo | None
    problems: Sequence[Problem]

    @property
    def notes(self) -> Sequence[Problem]:
        """What there is to say of rows that can be used."""
        own = [one for one in self.reading.problems if not one.rejected]
        return [*own, *self.echo.notes] if self.echo else own

    @property
    def given(self) -> int:
        return sum(self.reading.given.values())

    @property
    def rejected(self) -> int:
        """Rows that cannot be taken in as they stand."""
        beside_kith = {(one.file, one.row) for one in self.problems} - {
            (one.file, one.row) for one in self.reading.refusals
        }
        return sum(self.reading.rejected.values()) + len(beside_kith)


_KEPT: OrderedDict[str, Looked] = OrderedDict()
_MOST_KEPT = 4
_KEEPING = Lock()


def looked(rows: Repository, upload: Upload) -> Looked:
    """Kept by its stamp, which is another as soon as the files, the columns, the data or the day are others."""
    stamp = upload.stamp(rows, today())
    found = _KEPT.get(stamp)
    if found is None:
        reading = upload.reading(today(), importing.stood(rows, today()))
        echo: Echo | None = None
        problems: Sequence[Problem] = ()
        try:
            echo = importing.look(rows, reading, today())
        except InputError as error:
            problems = [one for one in error.problems if one.rejected] or [Problem("", 0, "", "", str(error), "")]
        found = Looked(stamp, reading, echo, problems)
    with _KEEPING:
        _KEPT[stamp] = found
        _KEPT.move_to_end(stamp)
        while len(_KEPT) > _MOST_KEPT:
            _KEPT.popitem(last=False)
    return found


class MeanwhileError(Exception):
    """The files, the data or the day are not those that the person looked at."""


def refuse_others(rows: Repository, upload: Upload, stamp: str) -> None:
    """Raises MeanwhileError unless all is as it was when the person looked."""
    if not hmac.compare_digest(stamp.encode(), upload.stamp(rows, today()).encode()):
        raise MeanwhileError


def same_reading(rows: Repository, upload: Upload, stamp: str) -> FilesRead:
    """The files as the person saw them read. Raises MeanwhileError."""
    refuse_others(rows, upload, stamp)
    kept = _KEPT.get(stamp)
    return kept.reading if kept else upload.reading(today(), importing.stood(rows, today()))
