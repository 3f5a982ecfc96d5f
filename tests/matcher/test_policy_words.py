"""Policies as a person reads them: in words, side by side, and with the line of what is wrong."""

from __future__ import annotations

import json
from itertools import pairwise
from string import Formatter

import pytest
from test_cli import AS_OF, TINY, kith

from matcher.catalogue import CATALOGUE, load_policy
from matcher.policies.files import preset_names
from matcher.policy import Whole
from matcher.policy_words import ASKS, differences, in_words, told

NATIONAL = load_policy("national")

OURS = 'name = "ours"\ntitle = "Our policy"\nversion = "1"\ninherits = "national"\n'


@pytest.fixture
def policy_file(tmp_path):
    def write(text: str) -> str:
        (tmp_path / "ours.toml").write_text(text, encoding="utf-8")
        return str(tmp_path / "ours.toml")

    return write


def differing(policy_file, text: str) -> list[str]:
    ours = load_policy(policy_file(OURS + text))
    back = [line.sentence for line in differences(NATIONAL, ours)]
    found = [line.sentence for line in differences(ours, NATIONAL)]
    assert len(back) == len(found)
    return found


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[rules.commitment]\nmonths = 24",
         "Our policy asks for two years of commitment; National Standards 2016 for one year of commitment."),
        ("[rules.commitment]\nmonths = 18",
         "Our policy asks for 18 months of commitment; National Standards 2016 for one year of commitment."),
        ("[rules.dbs_current]\nyears = 1",
         "Our policy asks for a DBS check every year; National Standards 2016 every three years."),
        ("[rules.travel]\non = false", "National Standards 2016 allows a journey of 25 miles; Our policy does not."),
        ("[rules.right_to_work]\non = true",
         "Our policy asks for proof that a volunteer may work in the United Kingdom; "
         "National Standards 2016 does not."),
        ("[rules.requested_gender]\non = false",
         "National Standards 2016 asks that the volunteer is of the gender that the child asked for, where that is "
         "essential; Our policy does not."),
        ("[scores.closeness]\nweight = 30",
         "Our policy weighs “A shorter journey” with 30; National Standards 2016 with 25."),
        ('[scores.culture]\nwhen = "always"\nweight = 30',
         "Our policy counts shared ethnicity, heritage and religion always (weight 30); "
         "National Standards 2016 if requested (weight 20)."),
        ("[priorities.residential]\npoints = 7",
         "Our policy gives points for “Placed in a residential setting” (seven points); "),
        ("[constraints.out_of_county_budget]\nvisits_a_year = 24",
         "Our policy counts what a match outside the county costs by mileage (24 visits a year); "
         "National Standards 2016 by mileage (twelve visits a year)."),
        ("[objective]\nminimum_fit = 300",
         "Our policy: plans are made for priority points and fit points together. "
         "No match is made below 300 points of fit. National Standards 2016: plans are made for"),
    ],
)  # fmt: skip
def test_a_difference_in_a_coordinators_words(policy_file, text, sentence):
    (found,) = differing(policy_file, text + "\n")
    assert found.startswith(sentence)


def test_policies_that_decide_alike_do_not_differ(policy_file):
    # Other words, other citations; and the limit of what neither asks for.
    text = '[rules.travel]\nmiles = 25\nsource = "Us"\n[rules.vehicle_documents]\nyears = 1\n'
    assert differing(policy_file, text) == []


def test_every_entry_can_be_told_as_a_difference(policy_file):
    for entry in CATALOGUE:
        if not entry.core:
            (off,) = differing(policy_file, f"[{entry.section}.{entry.id}]\non = {str(not_on(entry)).lower()}\n")
            assert off.endswith("does not.")
            assert "{" not in off
        for key, limit in entry.limits.items():
            others = (*getattr(limit, "options", ()), 200, 20, 7, 3, 2, 1)
            other = next(other for other in others if differs(entry, key, limit, other))
            value = f'"{other}"' if isinstance(other, str) else other
            text = f"[{entry.section}.{entry.id}]\n{'' if entry.core else 'on = true'}\n{key} = {value}\n"
            (found,) = differing(policy_file, text)
            assert "{" not in found


def not_on(entry) -> bool:
    return not NATIONAL.on(f"{entry.section}.{entry.id}")


def differs(entry, key, limit, other) -> bool:
    given = {**NATIONAL.sections[entry.section][entry.id], key: other}
    orderly = all(given[less] <= given[more] for less, more in pairwise(entry.ordered))
    return limit.refusal(other) is None and orderly and NATIONAL.sections[entry.section][entry.id][key] != other


def test_a_phrase_speaks_of_what_is_there():
    entries = {f"{entry.section}.{entry.id}": entry for entry in CATALOGUE}
    for path, phrase in ASKS.items():
        fields = {field for _, field, _, _ in Formatter().parse(phrase) if field}
        assert fields <= set(entries[path].limits), path
        assert phrase.count("|") == 1


@pytest.mark.parametrize(
    ("unit", "value", "words"),
    [
        ("months", 24, "two years"), ("months", 12, "one year"), ("months", 18, "18 months"),
        ("months", 0, "no months"),
        ("years", 1, "one year"), ("visits a year", 1, "one visit a year"), ("points", 1000, "1,000 points"),
    ],
)  # fmt: skip
def test_a_number_as_it_is_said(unit, value, words):
    assert in_words(Whole(unit), value) == words


def test_a_policy_told_whole():
    content = told(NATIONAL)
    assert [(row["section"], row["id"]) for row in content["entries"]] == [(e.section, e.id) for e in CATALOGUE]
    assert {row["from"] for row in content["entries"]} == {"national"}
    assert (content["hash"], content["version"]) == (NATIONAL.content_hash, NATIONAL.version)
    assert content["objective"]["in_words"] == "Plans are made for priority points and fit points together."


# ---- as commands -----------------------------------------------------------------------------------------------------


def test_show_tells_every_entry_with_its_source_and_where_it_is_from():
    run = kith("policy", "show", "surrey")
    assert run.returncode == 0, run.stderr
    for entry in CATALOGUE:
        assert f"  {entry.id} " in run.stdout
    assert load_policy("surrey").content_hash in run.stdout
    assert "months: two years; S 5(2): “for a minimum of two years”" in run.stdout
    assert "as in national; NP: " in run.stdout
    content = json.loads(kith("policy", "show", "surrey", "--json").stdout)
    assert content == json.loads(json.dumps(told(load_policy("surrey"))))


def test_diff_tells_both_sources():
    run = kith("policy", "diff", "surrey", "national")
    assert "Surrey asks for two years of commitment; National Standards 2016 for one year of commitment." in run.stdout
    assert "Surrey: S 5(2)" in run.stdout
    assert "National Standards 2016: NS 5" in run.stdout
    content = json.loads(kith("policy", "diff", "surrey", "national", "--json").stdout)
    assert content["one"] == {
        "policy": "surrey", "version": load_policy("surrey").version, "hash": load_policy("surrey").content_hash,
    }  # fmt: skip
    commitment = next(line for line in content["differences"] if line["id"] == "commitment")
    assert (commitment["one"]["months"], commitment["other"]["months"]) == (24, 12)
    assert "decide alike" in kith("policy", "diff", "surrey", "surrey").stdout


def test_check_tells_every_problem_with_its_line(policy_file):
    file = policy_file(OURS + "[rules.travel]\nmiles = 0\n[rules.approved]\non = false\n[scores.luck]\n")
    run = kith("policy", "check", file)
    assert run.returncode == 1
    assert run.stdout.splitlines() == [
        f"{file}, line 6: [rules.travel] miles = 0 is outside 1 to 1000 miles.",
        f"{file}, line 8: [rules.approved] is a core rule and cannot be switched off. Remove “on = false”.",
        run.stdout.splitlines()[2],
    ]
    assert run.stdout.splitlines()[2].startswith(f"{file}, line 9: [scores.luck] is not known.")
    told = json.loads(kith("policy", "check", file, "--json").stdout)["problems"]
    assert [problem["line"] for problem in told] == [6, 8, 9]


def test_check_of_a_good_file_and_of_none(policy_file):
    file = policy_file(OURS)
    run = kith("policy", "check", file)
    assert (run.returncode, "nothing to mend" in run.stdout) == (0, True)
    run = kith("policy", "check", "nowhere.toml")
    assert (run.returncode, "There is no policy “nowhere.toml”" in run.stdout) == (1, True)


def test_compare_plans_one_service_under_every_preset(tmp_path):
    run = kith("policy", "compare", TINY, *AS_OF, "--json")
    assert run.returncode == 0, run.stderr
    outcomes = json.loads(run.stdout)["outcomes"]
    assert [one["policy"] for one in outcomes] == list(preset_names())
    for one in outcomes:
        match = kith("match", TINY, *AS_OF, "--policy", one["policy"], "--out", tmp_path, "--json")
        planned = json.loads(match.stdout)
        assert (planned["points"], len(planned["matches"])) == (one["points"], len(one["matches"]))
        assert planned["policy_hash"] == one["hash"]
        assert planned["eligible_pairs"] == one["eligible"]
        assert one["pairs"] == 12  # 4 children, 3 volunteers


def test_compare_takes_policies_and_tells_what_is_not_asked(policy_file):
    file = policy_file(OURS + "[rules.language]\non = false\n[rules.travel]\nmiles = 1\n")
    run = kith("policy", "compare", TINY, *AS_OF, "--policy", "national", "--policy", file, COLUMNS="200", PATH="")
    heading, *lines = run.stdout.splitlines()
    assert heading.split() == ["national", "ours"]
    assert any(line.startswith("– travel") for line in lines)
    assert not any("– age gap" in line for line in lines)  # excludes nobody
