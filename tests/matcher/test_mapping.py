"""Files with other headings are read as a person said once, and never as Kith guessed."""

from __future__ import annotations

import csv
import runpy
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from test_files import workbook

from matcher import match
from matcher.catalogue import load_policy
from matcher.errors import InputError, NotFoundError
from matcher.readers import read_folder
from matcher.reading.mapping import Layout, read_mapping
from matcher.reading.mapping_proposal import propose, write_proposal
from matcher.reading.sheets import CHILDREN
from matcher.records import Agreement, Gender

AS_OF = date(2026, 11, 1)
ROOT = Path(__file__).parents[2]
FOREIGN, TINY = ROOT / "data" / "samples" / "foreign", ROOT / "data" / "samples" / "tiny"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "extract.csv").write_text("CHILD,SEX,IV consent,LA\nC1,1,Agreed,x\nC2,9,,x\n")
    (tmp_path / "volunteers.csv").write_text("volunteer_id\nV1\n")
    return tmp_path


def mapped(folder: Path, *lines: str, confirmed: str = "true") -> Path:
    head = ["[children]", f"confirmed = {confirmed}", 'file = "extract"', "[children.columns]"]
    (folder / "mapping.toml").write_text("\n".join([*head, *lines]))
    return folder


def test_foreign_files_are_made_from_tiny() -> None:
    files = runpy.run_path(str(ROOT / "scripts" / "build_foreign.py"))["foreign"]()
    for name, text in files.items():
        assert (FOREIGN / name).read_text(encoding="utf-8") == text, "run python scripts/build_foreign.py"


OWN = runpy.run_path(str(ROOT / "scripts" / "build_foreign.py"))["own"]
"""An id of tiny as the foreign files have it."""


def of_tiny() -> dict[str, list[Any]]:
    """The records of tiny under the ids of the foreign files."""
    found = {sheet: list(records) for sheet, records in read_folder(TINY, AS_OF).records.items()}
    found["children"] = [
        replace(one, id=OWN(one.id), family=one.family and OWN(one.family)) for one in found["children"]
    ]
    found["volunteers"] = [replace(one, id=OWN(one.id)) for one in found["volunteers"]]
    return found


def read_foreign(folder: Path) -> dict[str, list[Any]]:
    return {sheet: list(records) for sheet, records in read_folder(folder, AS_OF).records.items()}


def test_foreign_layouts_give_the_records_and_the_plan_of_our_own() -> None:
    ours, theirs = read_folder(TINY, AS_OF), read_folder(FOREIGN, AS_OF)
    assert theirs.refusals == ()
    assert read_foreign(FOREIGN) == of_tiny()
    assert theirs.files["children"] == "ssda903-children.csv"
    policy = load_policy()
    own, plan = match(ours.instance(policy, AS_OF)), match(theirs.instance(policy, AS_OF))
    assert plan.pairs == tuple((OWN(child), OWN(volunteer)) for child, volunteer in own.pairs)
    assert plan.tiers == own.tiers


def test_a_form_exported_as_a_workbook_reads_the_same(tmp_path: Path) -> None:
    shutil.copytree(FOREIGN, tmp_path, dirs_exist_ok=True)
    with (tmp_path / "volunteers-form.csv").open(newline="", encoding="utf-8") as lines:
        workbook(tmp_path / "volunteers-form.xlsx", ("Form1", list(csv.reader(lines))))
    (tmp_path / "volunteers-form.csv").unlink()
    assert read_foreign(tmp_path) == of_tiny()


def test_messages_speak_of_their_file_their_headings_and_their_words(folder: Path) -> None:
    mapped(folder, '"CHILD" = "child_id"', '"SEX" = "gender"', '"iv CONSENT" = "agrees"', '"LA" = ""',
           "[children.values.gender]", '"1" = "male"', "[children.values.agrees]", '"agreed" = "yes"')  # fmt: skip
    reading = read_folder(folder, AS_OF)
    assert [str(problem) for problem in reading.refusals] == [
        "extract.csv, row 3, column SEX: “9” is not one of the words used here. Write female, male, other"
    ]
    child = reading.records["children"][0]
    assert (child.gender, child.agrees, child.responsible_authority) == (Gender.MALE, Agreement.YES, None)
    assert not any(problem.column == "LA" for problem in reading.problems)


def test_between_records_too_messages_speak_of_their_file_and_headings(folder: Path) -> None:
    (folder / "extract.csv").write_text("CHILD\nC1\nC1\n")
    mapped(folder, '"CHILD" = "child_id"')
    assert [str(problem) for problem in read_folder(folder, AS_OF).refusals] == [
        "extract.csv, row 3, column CHILD: “C1” stands in an earlier row too. "
        "Give each its own id, or remove the row that is out of date"
    ]


def test_what_a_file_has_in_common_stands_in_every_row(folder: Path) -> None:
    common = ("[children.every_row]", 'responsible_authority = "Surrey"')
    mapped(folder, '"CHILD" = "child_id"', *common)
    assert {child.responsible_authority for child in read_folder(folder, AS_OF).records["children"]} == {"E10000030"}
    mapped(folder, '"CHILD" = "child_id"', '"LA" = "responsible_authority"', *common)
    told = [str(problem) for problem in read_folder(folder, AS_OF).refusals]
    assert told[0].startswith("extract.csv, row 1, column responsible_authority: stands 2 times")


def test_worksheet_and_heading_row_are_named(tmp_path: Path) -> None:
    file = "all.xlsx"
    workbook(tmp_path / file, ("Info", [["x"]]), ("Kids", [["Extract of May"], [], ["CHILD"], ["C1"], [""], ["C2"]]),
             ("Adults", [["volunteer_id"], ["V1"], ["V1"]]))  # fmt: skip
    (tmp_path / "mapping.toml").write_text(
        '[children]\nconfirmed = true\nfile = "all"\nworksheet = "Kids"\nheading_row = 3\n'
        '[children.columns]\nCHILD = "child_id"\n'
        '[volunteers]\nconfirmed = true\nfile = "all"\nworksheet = "Adults"\n'
    )
    reading = read_folder(tmp_path, AS_OF)
    assert [child.id for child in reading.records["children"]] == ["C1", "C2"]
    assert reading.rows["children"] == (4, 6)
    assert str(reading.refusals[0]).startswith("all.xlsx (Adults), row 3, column volunteer_id: “V1” stands")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('"CHILD" = "birthday"', "mapping.toml, children.columns.CHILD: “birthday” is not a column of children"),
        ("[kids]", "mapping.toml, kids: is not a sheet. Write one of children, volunteers"),
        ("[children.values.sex]", "mapping.toml, children.values.sex: “sex” is not a column of children"),
        (
            '[children.values.gender]\n"1" = "mael"',
            "children.values.gender.1: “mael” is not one of the words used here",
        ),
        ('[children.values.agrees]\n"1" = ""', "children.values.agrees.1: says nothing. Write what it means"),
        ('[children.every_row]\nagrees = "yes"', "children.every_row.agrees: “yes” is not the same for a whole file"),
        ('[children.every_row]\nresponsible_authority = "Surey"', "“Surey” is not the name or the ONS code"),
        ("[children.colours]", "mapping.toml, children.colours: is not known. Write one of confirmed, file"),
        ("[volunteers]\nheading_row = true", "volunteers.heading_row: “True” is not what it has to be. Write a row"),
        ('children = "x', "mapping.toml is not valid TOML"),
        ('[declined]\nfile = "declined"', "mapping.toml, declined: is a proposal that nobody has confirmed"),
    ],
)
def test_a_wrong_mapping_is_refused_with_its_place(folder: Path, line: str, message: str) -> None:
    mapped(folder, line)
    with pytest.raises(InputError) as caught:
        read_folder(folder, AS_OF)
    assert message in str(caught.value)


def test_a_heading_that_is_not_in_the_file_is_a_problem(folder: Path) -> None:
    mapped(folder, '"CHILD" = "child_id"', '"DOB" = "date_of_birth"', '"UPN" = ""')
    assert [str(problem) for problem in read_folder(folder, AS_OF).refusals] == [
        "extract.csv, row 1, column DOB: is not among the headings. "
        "Correct the heading in the mapping, where it stands for date_of_birth, or remove it there"
    ]


def test_a_file_that_the_mapping_names_must_be_there(folder: Path) -> None:
    mapped(folder, '"CHILD" = "child_id"', '[matches]\nconfirmed = true\nfile = "history.csv"')
    assert [str(problem) for problem in read_folder(folder, AS_OF).refusals] == [
        f"history.csv: is missing. Put it into {folder.name}: Matches proposed, agreed, current and past: they keep "
        "siblings apart and volunteers from being given twice"
    ]


def test_another_mapping_may_be_given(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    mapped(folder, '"CHILD" = "child_id"')
    elsewhere = tmp_path_factory.mktemp("settings") / "council.toml"
    (folder / "mapping.toml").rename(elsewhere)
    assert len(read_folder(folder, AS_OF, elsewhere).records["children"]) == 2
    with pytest.raises(InputError, match=r"There is no mapping “nowhere\.toml”"):
        read_folder(folder, AS_OF, "nowhere.toml")


def test_lists_between_semicolons_are_translated_entry_by_entry() -> None:
    layout = Layout("x", values={"interests": {"Footy": "football", "Not sure; maybe": "none"}})
    assert layout.meant("interests", "footy; chess;") == "football; chess;"
    assert layout.meant("interests", "Not sure; maybe") == "none"
    assert layout.meant("languages", "footy") == "footy"


def test_a_proposal_finds_what_is_alike_and_is_followed_by_nobody(folder: Path) -> None:
    written = write_proposal(FOREIGN / "ssda903-children.csv", "children", folder / "proposal.toml")
    text = written.read_text(encoding="utf-8")
    for line in (
        '"PL_LA" = "placement_council"',
        '"IV_REF_DATE" = "referred_on"',
        '"DOB" = "date_of_birth"',
        '"PL_POST" = "placement"',
        '"UPN" = ""',
        '"1" = "male"',
        '# "AGREED" = ""',
    ):
        assert line in text.splitlines()
    with pytest.raises(InputError, match="a proposal that nobody has confirmed"):
        read_mapping(written)
    written.write_text(text.replace("confirmed = false", "confirmed = true"), encoding="utf-8")
    assert read_mapping(written)["children"].ours("dob") == "date_of_birth"


def test_a_proposal_for_a_form_reads_its_questions() -> None:
    text = propose(FOREIGN / "volunteers-form.csv", "volunteers")
    assert '"What is your date of birth?" = "date_of_birth"' in text
    assert '"What are your hobbies and interests? Tick all that apply." = "interests"' in text
    assert '# "4 Approved" = ""' in text


def test_proposals_stand_below_each_other_and_never_twice(tmp_path: Path) -> None:
    out = tmp_path / "mapping.toml"
    write_proposal(FOREIGN / "ssda903-children.csv", "children", out)
    write_proposal(FOREIGN / "volunteers-form.csv", "volunteers", out)
    assert out.read_text(encoding="utf-8").count("confirmed = false") == 2
    with pytest.raises(InputError, match="maps children already"):
        write_proposal(FOREIGN / "ssda903-children.csv", "children", out)


def test_our_own_headings_are_proposed_for_themselves(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(",".join(column.name for column in CHILDREN.columns) + "\n")
    text = propose(tmp_path / "x.csv", "children")
    assert all(f'"{column.name}" = "{column.name}"' in text for column in CHILDREN.columns)


def test_nothing_is_proposed_for_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="There is no sheet “pets”"):
        propose(tmp_path / "x.csv", "pets")
    (tmp_path / "x.csv").write_text("")
    with pytest.raises(InputError, match=r"x\.csv: is blank"):
        propose(tmp_path / "x.csv", "children")
    (tmp_path / "x.xlsx").write_text("no")
    with pytest.raises(InputError, match=r"x\.xlsx: cannot be read: it is not an Excel workbook"):
        propose(tmp_path / "x.xlsx", "children")
