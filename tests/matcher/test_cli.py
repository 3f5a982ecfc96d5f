"""The command line as a person uses it: in its own process, with its exit codes and one message an error."""

from __future__ import annotations

import csv
import json
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
TINY, COUNTY = SAMPLES / "tiny", SAMPLES / "county"
AS_OF = ("--as-of", "2026-11-01")


def kith(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "matcher", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment or None)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_tiny_is_planned_as_its_page_works_it_out(tmp_path: Path) -> None:
    run = kith("match", TINY, *AS_OF, "--out", tmp_path)
    assert run.returncode == 0, run.stderr
    assert "4,013 points" in run.stdout
    assert "OPTIMAL" in run.stdout
    matched = {row["child_id"]: (row["volunteer_id"], row["points"]) for row in rows(tmp_path / "plan.csv")}
    assert matched == {"C1": ("V1", "1100"), "C2": ("V2", "1167"), "C4": ("V3", "1746")}
    assert [row["child_id"] for row in rows(tmp_path / "unmatched.csv")] == ["C3"]
    best = [(row["child_id"], row["volunteer_id"]) for row in rows(tmp_path / "shortlists.csv") if row["rank"] == "1"]
    assert best == [("C1", "V1"), ("C2", "V2"), ("C3", "V1"), ("C4", "V3")]
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "A person decides every match" in report
    assert "http" not in report  # nothing is fetched from anywhere


def test_every_command_speaks_json(tmp_path: Path) -> None:
    plan = json.loads(kith("match", TINY, *AS_OF, "--out", tmp_path, "--json").stdout)
    assert plan["points"] == 4013
    assert plan["status"] == "OPTIMAL"
    assert json.loads(kith("check", TINY, "--json").stdout)["rows"]["children"]["loaded"] == 4
    shortlist = json.loads(kith("shortlist", TINY, "C3", *AS_OF, "--top", "2", "--json").stdout)
    assert [one["volunteer"] for one in shortlist["shortlist"]] == ["V1", "V2"]
    # V1 goes to C1 in the plan (1100 points), and C3 brings 1050.
    effect = shortlist["shortlist"][0]["effect"]
    assert (effect["tiers"]["points"], effect["left"]) == (50, ["C1"])
    by_volunteer = json.loads(kith("shortlist", TINY, "V1", *AS_OF, "--rank-by", "fit", "--json").stdout)
    assert [one["child"] for one in by_volunteer["shortlist"]] == ["C1", "C3"]
    again = json.loads(kith("match", TINY, *AS_OF, "--out", tmp_path, "--previous", tmp_path, "--json").stdout)
    assert again["since_the_plan_before"]["sentence"] == "3 kept."
    options = json.loads(kith("options", TINY, "C1", "C3", *AS_OF, "--each", "1", "--json").stdout)["options"]
    assert sorted(one["volunteer"] for listed in options.values() for one in listed) == ["V1", "V2"]
    points = json.loads(kith("frontier", TINY, *AS_OF, "--steps", "2", "--json").stdout)["points"]
    assert {point["trade_off"] for point in points} == {"fit", "budget"}
    assert json.loads(kith("explain", TINY, "C4", "V1", *AS_OF, "--json").stdout)["eligible"] is False
    assert {entry["id"] for entry in json.loads(kith("rules", "--json").stdout)["entries"]} >= {"age_gap", "interests"}
    assert (
        len(json.loads(kith("sample", "--children", "3", "--volunteers", "2", "--out", tmp_path, "--json").stdout)) == 1
    )


def test_explain_tells_the_rule_that_fails_with_its_arithmetic() -> None:
    # C4 in MK9 and V1 in NN1: 24,295 m = 15.096 miles; 2 × 15.096 × 45p × 12 = £163.04; £1,000 − £875 = £125 left.
    run = kith("explain", TINY, "C4", "V1", *AS_OF, COLUMNS="200", PATH="")
    assert "V1 cannot visit C4" in run.stdout
    assert "£163.04 a year, reckoned with 12 visits a year of about 15.1 miles each way, at 45p a mile" in run.stdout
    assert "£125.00 left" in run.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("match", "nowhere"), 1, "“nowhere” is not a folder"),
        (("match", SAMPLES / "messy"), 1, "problems have to be mended first"),
        (("match", TINY, "--policy", "kent"), 2, "There is no policy “kent”. Give one of"),
        (("match", TINY, "--as-of", "soon"), 2, "“soon” is not a date"),
        (("shortlist", TINY, "C9", *AS_OF), 1, "There is no child “C9”"),
        (("explain", TINY, "C1", "V9", *AS_OF), 1, "There is no volunteer “V9”"),
        (("match", TINY, *AS_OF, "--out", TINY / "README.md"), 1, "README.md"),
        (("fly",), 2, "No such command"),
    ],
)
def test_errors_are_one_message_and_a_code(arguments: tuple[str | Path, ...], code: int, message: str) -> None:
    run = kith(*arguments)
    assert run.returncode == code
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert run.stdout == ""


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    """Rows in another order, another hash seed: identical files."""
    contents = []
    for number, hash_seed in enumerate(("0", "1", "12345")):
        folder, out = tmp_path / f"in{number}", tmp_path / f"out{number}"
        folder.mkdir()
        for file in COUNTY.glob("*.csv"):
            heading, *lines = file.read_text(encoding="utf-8").splitlines()
            random.Random(number).shuffle(lines)
            (folder / file.name).write_text("\n".join([heading, *lines]) + "\n", encoding="utf-8")
        run = kith("match", folder, *AS_OF, "--out", out, PYTHONHASHSEED=hash_seed, OMP_NUM_THREADS=str(1 + number % 2))
        assert run.returncode == 0, run.stderr
        contents.append({file.name: file.read_bytes() for file in sorted(out.iterdir())})
    assert set(contents[0]) == {"plan.xlsx", "plan.csv", "shortlists.csv", "unmatched.csv", "report.html", "plan.json"}
    assert contents[0] == contents[1] == contents[2]
    assert len(rows(tmp_path / "out0" / "plan.csv")) > 20


def test_county_is_planned_and_every_child_is_accounted_for(tmp_path: Path) -> None:
    run = kith("match", COUNTY, *AS_OF, "--out", tmp_path, "--json")
    plan = json.loads(run.stdout)
    assert plan["status"] == "OPTIMAL"
    assert len(plan["matches"]) + len(plan["unmatched"]) == plan["children"]
    assert all(child["reason"] for child in plan["unmatched"])


def test_a_file_goes_from_template_to_mapping_to_correction(tmp_path: Path) -> None:
    template = kith("template", "--out", tmp_path / "blank")
    assert template.returncode == 0, template.stderr
    assert (tmp_path / "blank" / "children.xlsx").is_file()

    proposal = tmp_path / "mapping.toml"
    run = kith("map", SAMPLES / "foreign" / "ssda903-children.csv", "--sheet", "children", "--out", proposal)
    assert "a proposal. Look at every line, then write confirmed = true." in run.stdout
    refused = kith("check", SAMPLES / "foreign", "--mapping", proposal)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "a proposal that nobody has confirmed" in refused.stderr

    run = kith("check", SAMPLES / "messy", *AS_OF, "--out", tmp_path / "correct", "--json")
    assert run.returncode == 1
    assert str(tmp_path / "correct" / "children.xlsx") in json.loads(run.stdout)["files"]
    again = kith("check", SAMPLES / "messy", *AS_OF, "--out", tmp_path / "correct")
    assert "already has a children.xlsx" in again.stderr


def test_a_shortlist_says_of_how_many_it_is_and_by_what_it_is_ranked() -> None:
    assert "Shortlist of C3: 1 of 3, ranked by what each choice costs the whole plan" in shown("C3", "--top", "1")
    assert "Shortlist of V1: 2 of 2, ranked by fit alone" in shown("V1", "--rank-by", "fit")


def shown(*arguments: str) -> str:
    return kith("shortlist", TINY, *arguments, *AS_OF).stdout


def test_what_cites_sources_says_what_they_stand_for() -> None:
    for command in (("rules",), ("policy", "show", "surrey"), ("explain", TINY, "C3", "V1", *AS_OF)):
        foot = kith(*command).stdout.partition("\nSources\n")[2]
        assert "  S     Surrey policy\n" in foot


def test_every_command_is_described_to_the_end() -> None:
    for command in ((), ("policy",)):
        listed = kith(*command, "--help").stdout.partition("Commands:")[2]
        assert listed
        assert "..." not in listed


def test_version() -> None:
    assert re.fullmatch(r"kith \d+\.\d+\.\d+\n", kith("--version").stdout)


def test_who_stops_reading_hears_no_complaint() -> None:
    command = [sys.executable, "-m", "matcher", "rules"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout
        assert run.stderr
        run.stdout.close()  # as `kith rules | head` does
        assert run.stderr.read() == b""
    assert run.returncode in (0, -signal.SIGPIPE)


def test_a_terminal_without_the_letters_gets_plain_ones() -> None:
    run = kith("explain", TINY, "C4", "V1", *AS_OF, PYTHONIOENCODING="ascii", COLUMNS="300")
    assert run.returncode == 0, run.stderr
    assert "GBP 163.04 a year, reckoned with 12 visits" in run.stdout
    assert '"over the age of 21"' in run.stdout
    missing = kith("match", "nowhere", PYTHONIOENCODING="ascii")
    assert '"nowhere" is not a folder' in missing.stderr


def test_what_make_demo_proposes_next_has_a_result() -> None:
    text = (SAMPLES.parents[1] / "Makefile").read_text(encoding="utf-8")
    for command in ("shortlist", "explain"):
        (said,) = re.findall(rf"kith ({command} [^\"$]*) --as-of", text)
        run = kith(*said.split(), *AS_OF)
        assert run.returncode == 0, run.stderr
        assert "Shortlist of" in run.stdout or "every rule passes" in run.stdout


def test_check_tells_the_cells_that_are_to_be_filled() -> None:
    told = kith("check", COUNTY, *AS_OF).stdout
    assert "Nothing to mend: every row can be used." in told
    assert "children, column agrees: 2 to fill, for child agrees: C0099, C0109" in told
    # C0099 is about to move placement: there nobody is asked yet whether they agree.
    gaps = json.loads(kith("check", COUNTY, *AS_OF, "--policy", "northamptonshire", "--json").stdout)["gaps"]
    assert [gap["blank"] for gap in gaps if gap["column"] == "agrees"] == [["C0109"]]
    assert kith("check", COUNTY, "--policy", "kent").returncode == 2


def test_swapped_ids_are_told_as_such() -> None:
    assert "Where both are given, the child comes first." in kith("explain", TINY, "V1", "C1", *AS_OF).stderr
