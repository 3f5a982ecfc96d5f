"""What the commands share: the options that several take, and how they print."""

from __future__ import annotations

import codecs
import json
import re
import signal
import sys
from datetime import date
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from unicodedata import normalize

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

if TYPE_CHECKING:
    from matcher.instance import Instance

Folder = Annotated[Path, typer.Argument(help="Folder with children and volunteers, as .csv or .xlsx; matches, declined "
                                             "and the other sheets if there are any.")]  # fmt: skip
Mapping = Annotated[
    Path | None, typer.Option("--mapping", help="How files with other headings are read. Default: its mapping.toml.")
]
PolicyName = Annotated[str, typer.Option("--policy", help="A preset's name, or a TOML file.")]
AsOf = Annotated[
    str | None, typer.Option("--as-of", help="The date of the run, such as 2026-11-01. Default: today in London.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]


class Commands(TyperGroup):
    """Lists each command with its first sentence whole, wherever the line ends."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command = super().get_command(ctx, cmd_name)
        if command is not None and command.help and not command.short_help:
            first = " ".join(command.help.split("\n\n")[0].split())
            command.short_help = re.split(r"(?<=\.) (?=[A-Z])", first)[0]
        return command


def any_terminal() -> None:
    """Makes every terminal and pipe good enough to print on.

    What it has no letter for is written plainly. Whoever stops reading, as `| head` does, stops Kith without a word.
    """
    codecs.register_error("plainly", _plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="plainly")
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)


_PLAIN = {"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "×": "x", "£": "GBP ", "…": "..."}


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    plain = (_PLAIN.get(one) or normalize("NFKD", one).encode("ascii", "ignore").decode() or "?" for one in letters)
    return "".join(plain), error.end


def date_of(text: str | None) -> date:
    """The day of --as-of; today in London where none is given."""
    if text is None:
        from matcher.instance import today

        return today()
    from matcher.reading.cells import RefusedError, written_day

    try:
        return written_day(text)
    except RefusedError as error:
        raise typer.BadParameter(f"“{text}” {error.wrong}. {error.remedy}.", param_hint="--as-of") from None


def instance_of(folder: Path, policy: str, as_of: str | None, mapping: Path | None) -> Instance:
    """What a folder holds, under a policy and for a day as they were given to a command."""
    from matcher.catalogue import load_policy
    from matcher.readers import read_folder

    chosen, when = load_policy(policy), date_of(as_of)
    return read_folder(folder, when, mapping).instance(chosen, when)


def plain_table(*headings: str) -> Table:
    """Columns without lines."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold underline", show_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def print_documents(console: Console) -> None:
    """What the citations of sources stand for, at the foot of what cites them."""
    from matcher.catalogue import DOCUMENTS

    console.print(Text("\nSources", style="bold"))
    for short, document in DOCUMENTS.items():
        console.print(Text(f"  {short:<4}  {document}", style="dim"))


def print_json(content: Any) -> None:
    print(json.dumps(content, indent=2, ensure_ascii=False, default=str))  # noqa: T201
