"""Writes docs/columns.md from the description of the sheets: python scripts/build_columns.py."""

from __future__ import annotations

from pathlib import Path

from matcher.reading.sheets import SHEETS

PAGE = Path(__file__).parents[1] / "docs" / "columns.md"


def columns_page() -> str:
    """The page that documents every column that Kith reads."""
    lines = [
        "# The columns that Kith reads",
        "",
        "Generated from `matcher/reading/sheets.py` by `python scripts/build_columns.py`; `kith template --out FOLDER` "
        "makes a workbook of each sheet from the same description. A sheet is a `.csv` or an `.xlsx` file. Headings "
        "are taken in any capitals, with spaces or underscores. A blank cell means *not recorded*; what is not "
        "recorded never makes a pair eligible.",
    ]
    for sheet in SHEETS:
        lines += ["", f"## {sheet.name}{' (needed)' if sheet.needed else ''}", "", f"{sheet.means}.", ""]
        lines += ["| column | what it means | example | if blank |", "|---|---|---|---|"]
        for column in sheet.columns:
            lines.append(f"| `{column.name}` | {column.means} | {column.example} | {column.if_blank} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(columns_page(), encoding="utf-8")
