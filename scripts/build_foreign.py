"""Writes the tiny sample in the headings, codes and ids of others: python scripts/build_foreign.py.

Whoever adds a column to the tiny sample runs it again; the columns that it does not rename keep their names.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path

SAMPLES = Path(__file__).parents[1] / "data" / "samples"

Row = dict[str, str]
Cell = Callable[[Row], str]


OWN = {"C": "CLA-700", "V": "IVF-70", "F": "SIB-7"}
"""What stands for the letter of an id: other systems number people in their own way. So nobody in these files could be
somebody of another sample, and a demonstration takes them in."""


def own(id: str) -> str:
    """CLA-7001 of C1; what is no id, as “none”, as it is."""
    return OWN.get(id[:1], id[:1]) + id[1:]


def _own(column: str) -> Cell:
    return lambda row: own(row[column])


def _code(column: str, codes: Mapping[str, str]) -> Cell:
    return lambda row: codes[row[column]] if row.get(column) else ""


def _answers(column: str) -> Cell:
    """As Microsoft Forms writes what was ticked: a semicolon after each answer."""
    return lambda row: "".join(f"{part.strip()};" for part in row[column].split(";")) if row.get(column) else ""


# Heading -> our column, or what is made of a row. First the columns of the return, then the council's own.
CHILDREN: dict[str, str | Cell] = {
    "CHILD": _own("child_id"),
    "SEX": _code("gender", {"male": "1", "female": "2"}),
    "DOB": "date_of_birth",
    "ETHNIC": "ethnicity",
    "UPN": lambda _: "UN3",
    "UASC": _code("unaccompanied", {"yes": "1", "no": "0"}),
    "HOME_POST": lambda _: "",
    "PL_POST": "placement",
    "PL_LA": "placement_council",
    "SIB_GROUP": _own("family"),
    "LANG": "languages",
    "HOBBIES": "interests",
    "IV_CONSENT": _code("agrees", {"yes": "AGREED", "no": "REFUSED", "not asked": "PENDING"}),
    "IV_REF_DATE": "referred_on",
    "PARENT_CONTACT": _code("parental_contact", {"none": "0", "infrequent": "1", "regular": "2"}),
}
VOLUNTEERS: dict[str, str | Cell] = {
    "ID": lambda row: row["volunteer_id"].removeprefix("V"),
    "Start time": lambda _: "02/01/2026 09:12",
    "Email": lambda _: "anonymous",
    "Name": lambda _: "",
    "Volunteer number": _own("volunteer_id"),
    "What is your date of birth?": "date_of_birth",
    "How do you describe your gender?": _code("gender", {"male": "Man", "female": "Woman"}),
    "Where do you live? (First half of your postcode)": "home",
    "What is your ethnic group?": "ethnicity",
    "Which languages do you speak well?": _answers("languages"),
    "What are your hobbies and interests? Tick all that apply.": _answers("interests"),
    "How far could you travel, in miles?": "travel_limit_miles",
    "OFFICE USE: stage": _code(
        "status",
        {
            "applicant": "1 Enquiry", "approved": "4 Approved", "suspended": "5 On hold", "withdrawn": "6 Left",
            "resigned": "6 Left",
        },
    ),
    "OFFICE USE: DBS certificate date": "dbs_checked_on",
    "OFFICE USE: agreement signed": "agreement_signed_on",
}  # fmt: skip

RENAMED = {
    "children": {"child_id", "gender", "date_of_birth", "ethnicity", "unaccompanied", "placement", "placement_council",
                 "family", "languages", "interests", "agrees", "referred_on", "parental_contact",
                 "responsible_authority"},  # the last is the mapping's to say: all children are of one council
    "volunteers": {"volunteer_id", "date_of_birth", "gender", "home", "ethnicity", "languages", "interests",
                   "travel_limit_miles", "status", "dbs_checked_on", "agreement_signed_on"},
}  # fmt: skip


def foreign() -> dict[str, str]:
    """The text of each foreign file by name."""
    return {
        "ssda903-children.csv": _file("children", CHILDREN),
        "volunteers-form.csv": _file("volunteers", VOLUNTEERS),
        "authorities.csv": (SAMPLES / "tiny" / "authorities.csv").read_text(encoding="utf-8"),
    }


def _file(name: str, headings: Mapping[str, str | Cell]) -> str:
    with (SAMPLES / "tiny" / f"{name}.csv").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    kept = {column.replace("_", " ").capitalize(): column for column in rows[0] if column not in RENAMED[name]}
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*headings, *kept])
    for row in rows:
        cells = [row.get(cell, "") if isinstance(cell, str) else cell(row) for cell in headings.values()]
        writer.writerow([*cells, *(row[column] for column in kept.values())])
    return text.getvalue()


if __name__ == "__main__":
    for name, text in foreign().items():
        (SAMPLES / "foreign" / name).write_text(text, encoding="utf-8", newline="")
