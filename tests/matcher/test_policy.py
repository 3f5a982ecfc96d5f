"""Policies: what is refused, what is inherited, and that nobody can weaken a core rule."""

from __future__ import annotations

from dataclasses import replace

import pytest
from making import a_policy

from matcher.catalogue import CATALOGUE, described, load_policy, policy_of
from matcher.errors import PolicyError
from matcher.policies.files import as_toml, lines_of, preset_names, read_policy
from matcher.policy import TIERS, Choice, Whole

NATIONAL = load_policy("national")

TOP = 'name = "ours"\ntitle = "Our policy"\nversion = "1"\n'
OURS = TOP + 'inherits = "national"\n'


@pytest.fixture
def policy_file(tmp_path, monkeypatch):
    """Writes policy files into the working directory; returns the last one's path."""
    monkeypatch.chdir(tmp_path)

    def write(text: str, name: str = "ours.toml") -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_can_be_used(name):
    policy = load_policy(name)
    assert policy.name == name
    for entry in described(policy):
        assert entry["source"]
        assert "{" not in entry["title"]


def test_a_file_that_inherits_changes_only_what_it_says(policy_file):
    ours = load_policy(
        policy_file(OURS + '[rules.travel]\nmiles = 10\nsource = "Us"\n[objective]\nminimum_fit = 300\n')
    )
    assert (ours.name, ours.number("rules.travel.miles"), ours.minimum_fit) == ("ours", 10, 300)
    assert ours.source("rules.travel") == "Us"
    assert ours.tiers == NATIONAL.tiers
    assert {**ours.sections["rules"], "travel": None} == {**NATIONAL.sections["rules"], "travel": None}
    assert [ours.sections[section] for section in ("constraints", "scores", "priorities")] == [
        NATIONAL.sections[section] for section in ("constraints", "scores", "priorities")
    ]


def test_inheritance_goes_on_through_several_files(policy_file):
    policy_file(OURS + "[rules.travel]\nmiles = 10\n[rules.age_gap]\nyears = 9\n", "parent.toml")
    ours = load_policy(policy_file(TOP + 'inherits = "parent.toml"\n[rules.travel]\nmiles = 5\n'))
    assert (ours.number("rules.travel.miles"), ours.number("rules.age_gap.years")) == (5, 9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[rules.travle]\nmiles = 5", r"\[rules.travle\] is not known. Known are: .*travel"),
        ("[scores.travel]\nweight = 5", r"\[scores.travel\] is not known"),
        ("[rules.travel]\nmile = 5", r"\[rules.travel\] has no “mile”. It knows: miles, on, source"),
        ("[rules.travel]\nmiles = 0", r"\[rules.travel\] miles = 0 is outside 1 to 1000 miles"),
        ("[rules.travel]\nmiles = -1", "is outside 1 to 1000"),
        ("[rules.travel]\nmiles = 1001", "is outside 1 to 1000"),
        ("[rules.travel]\nmiles = 2.5", "miles = 2.5 is not a whole number of miles"),
        ('[rules.travel]\nmiles = "5"', "is not a whole number"),
        ("[rules.travel]\nmiles = true", "is not a whole number"),
        ("[rules.travel]\nmiles = [5]", "is not a whole number"),
        ('[rules.travel]\non = "no"', "on = 'no' must be true or false"),
        ("[rules.travel]\non = 0", "on = 0 must be true or false"),
        ("[rules.travel]\nsource = 2016-01-01", "source = .* must be words in quotes"),
        ('[scores.culture]\nwhen = "never"', "when = 'never' is not one of always, if_requested, off"),
        ("[scores.culture]\nwhen = [1]", r"when = \[1\] is not one of"),
        ("[scores.interests]\nweight = -1", "weight = -1 is outside 0 to 1000."),
        ("[scores.interests]\nweight = 1.5", "weight = 1.5 is not a whole number."),
        ("[rules.dbs_current]\nyears = 4", "years = 4 is outside 1 to 3"),  # stricter, never laxer
        ("[rules.minimum_age]\nyears = 17", "years = 17 is outside 18 to 100"),
        ("[constraints.capacity]\nchildren = 0", "children = 0 is outside 1 to 10"),
        ("[rules.references]\nprofessional = 3", r"\[rules.references\] professional = 3 is more than accepted = 2"),
        ("[scores.commitment_length]\nfrom_months = 70", "from_months = 70 is more than to_months = 60"),
        ("[rules]\ntravel = 5", r"rules must hold tables such as \[rules.name\]"),
        ("rules = 5", "rules must hold tables"),
        ("objective = 5", "objective must be a table"),
        ("[rule.travel]\nmiles = 5", "“rule” is not a section. Sections are rules, constraints"),
        ("[objective]\ntiers = []", "objective tiers .* must list some of"),
        ('[objective]\ntiers = ["fit", "fit"]', "each once"),
        ('[objective]\ntiers = ["luck"]', "objective tiers .* must list some of"),
        ('[objective]\ntiers = "fit"', "objective tiers fit must list some of"),
        ("[objective]\ntiers = 5", "objective tiers 5 must list some of"),
        ('[objective]\ntiers = [["fit"]]', "objective tiers .* must list some of"),
        ("[objective]\nminimum_fit = 1001", "minimum_fit = 1001 is outside 0 to 1000 points"),
        ("[objective]\nminimum_fit = true", "minimum_fit = True is not a whole number"),
        ("[objective]\nfit = 5", "objective has no “fit”"),
        ("[rules.travel\nmiles = 5", "is not valid TOML: .*Correct that line"),
        ("[rules.travel]\nmiles = 5\nmiles = 6", "is not valid TOML"),
    ],
)
def test_a_policy_that_cannot_be_followed_is_refused(policy_file, text, message):
    before, section, after = text.partition("[")
    with pytest.raises(PolicyError, match=message):
        load_policy(policy_file(before + "\n" + OURS + section + after))


@pytest.mark.parametrize("entry", [entry for entry in CATALOGUE if entry.core], ids=lambda entry: entry.id)
def test_a_core_rule_cannot_be_switched_off(policy_file, entry):
    with pytest.raises(PolicyError, match=rf"{entry.section}.{entry.id}\] is a core rule and cannot be switched off"):
        load_policy(policy_file(OURS + f"[{entry.section}.{entry.id}]\non = false\n"))
    assert load_policy(policy_file(OURS + f"[{entry.section}.{entry.id}]\non = true\n")).on(
        f"{entry.section}.{entry.id}"
    )


@pytest.mark.parametrize("entry", [entry for entry in CATALOGUE if not entry.core], ids=lambda entry: entry.id)
def test_any_other_entry_can_be_switched_on_and_off(policy_file, entry):
    for on in (True, False):
        ours = load_policy(policy_file(OURS + f"[{entry.section}.{entry.id}]\non = {str(on).lower()}\n"))
        assert ours.on(f"{entry.section}.{entry.id}") == on


def test_a_policy_that_leaves_a_limit_out_is_refused_with_every_one(policy_file):
    with pytest.raises(PolicyError) as refusal:
        load_policy(policy_file(TOP))
    for entry in CATALOGUE:
        for key in entry.limits:
            assert f"[{entry.section}.{entry.id}] gives no “{key}”. Add it (" in str(refusal.value)


def test_every_mistake_is_told_at_once(policy_file):
    with pytest.raises(PolicyError) as refusal:
        load_policy(policy_file(OURS + "[rules.travel]\nmiles = 0\n[rules.age_gap]\nyears = 61\n[scores.luck]\n"))
    for mistake in ("miles = 0", "years = 61", "scores.luck"):
        assert mistake in str(refusal.value)


@pytest.mark.parametrize("missing", ["name", "title", "version"])
def test_a_policy_says_what_it_is(policy_file, missing):
    lines = [line for line in TOP.splitlines() if not line.startswith(missing)]
    with pytest.raises(PolicyError, match=f"gives no “{missing}”"):
        load_policy(policy_file("\n".join(lines)))


def test_a_circle_of_inheritance_is_refused(policy_file):
    policy_file(TOP + 'inherits = "two.toml"\n', "one.toml")
    policy_file(TOP + 'inherits = "one.toml"\n', "two.toml")
    with pytest.raises(PolicyError, match=r"inherit in a circle: one.toml → two.toml → one.toml"):
        load_policy("one.toml")
    policy_file(TOP + 'inherits = "self.toml"\n', "self.toml")
    with pytest.raises(PolicyError, match="in a circle"):
        load_policy("self.toml")


@pytest.mark.parametrize("inherits", ['"nationl"', "5", "[]", '""'])
def test_a_parent_that_is_not_there_is_refused(policy_file, inherits):
    with pytest.raises(PolicyError, match=r"There is no policy “.*”. Give one of .*national"):
        load_policy(policy_file(TOP + f"inherits = {inherits}\n"))


def test_a_file_that_is_no_text_is_refused(tmp_path):
    file = tmp_path / "ours.toml"
    file.write_bytes(b"name = \xff\xfe")
    with pytest.raises(PolicyError, match=r"cannot be read: .*UTF-8"):
        load_policy(file)
    with pytest.raises(PolicyError, match=r"There is no policy"):
        load_policy(tmp_path)  # a folder


# ---- the line of everything that is wrong ----------------------------------------------------------------------------


def problems(file: str) -> list[tuple[int, str]]:
    with pytest.raises(PolicyError) as refusal:
        load_policy(file)
    assert all(str(problem) in str(refusal.value) for problem in refusal.value.problems)
    return [(problem.line, problem.wrong) for problem in refusal.value.problems]


def test_every_problem_has_its_line(policy_file):
    text = """name = "ours"
title = "Our policy"
version = "1"
inherits = "national"
surprise = 5

[objective]
tiers = [
  "luck",
]
minimum_fit = -1

[rules.travel]   # a comment
# miles = 5
miles = 0
mile = 5
source = '''
[rules.age_gap]
years = 9
'''

[rules]
age_gap = { years = 99 }
"dbs_current".years = 4
approved = { source = "x", on = false }

[constraints.capacity]
children = "two"

[scores.luck]
weight = 5
"""
    found = problems(policy_file(text))
    assert sorted(line for line, _ in found) == [5, 8, 11, 15, 16, 23, 24, 25, 28, 30]
    told = dict(found)
    assert told[5].startswith("“surprise” is not a section")
    assert "tiers" in told[8]
    assert "minimum_fit = -1 is outside" in told[11]
    assert "miles = 0 is outside" in told[15]
    assert "has no “mile”" in told[16]
    assert "years = 99 is outside" in told[23]
    assert "years = 4 is outside" in told[24]
    assert "core rule" in told[25]
    assert "children = 'two' is not a whole number" in told[28]
    assert "[scores.luck] is not known" in told[30]


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("a = 1\n[b]\nc = 2\n", "b.c", 3),
        ("[b.c]\n\n# d = 1\nd = 2\n", "b.c.d", 4),
        ("[b]\nc.d = 2\n", "b.c.d", 2),
        ("b.c.d = 2\n", "b.c", 1),
        ("[b]\nx = [\n  1,\n  2 ]\nc = 2\n", "b.c", 5),
        ('[b]\nx = """\n[z]\nc = 1\n"""\nc = 2\n', "b.c", 6),
        ("[b]\nx = '[z]'\nc = 2 # [y]\n", "b.c", 3),
        ('[ b . "c" ]\r\nd = 2\r\n', "b.c.d", 2),
        ("[[b]]\nc = 2", "b.c", 2),
        ("[b]\n[b.c]\n[d]\ne = 1\n", "d.e", 4),
        ("", "", 1),
    ],
)
def test_the_line_of_a_key(text, path, line):
    assert lines_of(text)[path] == line


def test_what_is_not_there_is_told_at_the_nearest_line(policy_file):
    text = TOP + "[rules.travel]\n" + "".join(f"[{section}]\n" for section in ("constraints", "scores"))
    found = problems(policy_file(text))
    assert (4, "[rules.travel] gives no “miles”. Add it (a whole number of miles)") in found
    assert any(line == 5 and "[constraints.capacity]" in wrong for line, wrong in found)
    assert any(line == 1 and "[priorities.waiting_time]" in wrong for line, wrong in found)


def test_a_problem_of_an_inherited_file_is_told_with_that_file(policy_file):
    policy_file(OURS + "\n[rules.travel]\nmiles = 0\n[rules.age_gap]\nyears = 99\n", "parent.toml")
    child = policy_file(TOP + 'inherits = "parent.toml"\n[rules.age_gap]\nyears = 9\n')
    with pytest.raises(PolicyError) as refusal:
        load_policy(child)
    (problem,) = refusal.value.problems
    assert (problem.file.endswith("parent.toml"), problem.line) == (True, 7)


def test_toml_that_is_broken_has_its_line_too(policy_file):
    assert [line for line, _ in problems(policy_file(OURS + "[rules.travel\nmiles = 5"))] == [5]
    assert [line for line, _ in problems(policy_file(OURS + "[rules.travel]\nmiles = "))] == [6]
    assert [line for line, _ in problems(policy_file("a = " + "[" * 10_000))] == [1]


def test_a_parent_that_is_not_there_is_told_at_its_line(policy_file):
    ((line, wrong),) = problems(policy_file(TOP + 'inherits = "kent"\n'))
    assert (line, "There is no policy" in wrong) == (4, True)


def test_a_file_stands_beside_the_one_that_inherits_from_it(tmp_path):
    (tmp_path / "parent.toml").write_text(OURS + "[rules.travel]\nmiles = 10\n")
    (tmp_path / "ours.toml").write_text(TOP + 'inherits = "parent.toml"\n')
    assert load_policy(tmp_path / "ours.toml").number("rules.travel.miles") == 10


def test_a_file_of_notepad_is_read(tmp_path):
    (tmp_path / "ours.toml").write_text(OURS, encoding="utf-8-sig")
    assert load_policy(tmp_path / "ours.toml").name == "ours"


def test_a_file_that_is_no_policy_is_refused_at_once(policy_file):
    with pytest.raises(PolicyError, match="is longer than 200,000 characters"):
        load_policy(policy_file("x = [\n" + "1,\n" * 100_000 + "]\n"))


def test_what_a_policy_is_called_is_never_inherited(policy_file):
    with pytest.raises(PolicyError, match="gives no “version”"):
        load_policy(policy_file('name = "ours"\ntitle = "Ours"\ninherits = "national"\n'))


def test_a_limit_does_not_inherit_the_citation_of_another(policy_file):
    ours = load_policy(policy_file(OURS + "[rules.travel]\nmiles = 10\n"))
    assert ours.source("rules.travel") == "not cited by ours"
    assert ours.source("rules.age_gap") == NATIONAL.source("rules.age_gap")
    assert (ours.origins["rules.travel"], ours.origins["rules.age_gap"]) == ("ours", "national")


# ---- a policy in hand ------------------------------------------------------------------------------------------------


def test_with_weights_changes_the_weights_and_nothing_else():
    ours = NATIONAL.with_weights(interests=10, closeness=0)
    assert (ours.number("scores.interests.weight"), ours.number("scores.closeness.weight")) == (10, 0)
    assert ours.with_weights(interests=40, closeness=25) == NATIONAL
    assert NATIONAL.number("scores.interests.weight") == 40  # the first is as it was
    assert ours.choice("scores.culture.when") == NATIONAL.choice("scores.culture.when")


def test_a_name_tells_the_weights_given_by_hand():
    ours = NATIONAL.with_weights(interests=30)
    assert ours.name == "national, with interests 30"
    assert ours.with_weights(interests=31, culture=0).name == "national, with interests 31, culture 0"
    assert ours.with_weights(interests=40).name == "national"  # as the file has it
    assert ours.stamp.startswith("national, with interests 30 2026.1 (")


@pytest.mark.parametrize("weight", [-1, 1001, 2.5, True, "5"])
def test_with_weights_refuses_what_a_file_could_not_say(weight):
    with pytest.raises(PolicyError, match="weight of interests"):
        NATIONAL.with_weights(interests=weight)


def test_with_weights_refuses_what_is_no_score():
    with pytest.raises(PolicyError, match=r"There is no score “luck”. The scores are .*interests"):
        NATIONAL.with_weights(luck=5)


def test_the_hash_changes_with_whatever_the_policy_decides():
    others = [
        a_policy({"rules.travel.miles": 24}),
        a_policy({"rules.age_gap.on": False}),
        a_policy({"constraints.out_of_county_budget.method": "spot_purchase"}),
        NATIONAL.with_weights(interests=41),
        a_policy({"priorities.waiting_time.most_days": 731}),
        a_policy(tiers=("fit",)),
        a_policy(tiers=("fit", "priority")),
        a_policy(tiers=("priority", "fit")),
        a_policy(minimum_fit=1),
    ]
    assert len({NATIONAL.content_hash, *(policy.content_hash for policy in others)}) == len(others) + 1
    assert load_policy("national").content_hash == NATIONAL.content_hash
    assert len(NATIONAL.content_hash) == 12


def test_the_hash_does_not_depend_on_the_order_of_lines(policy_file):
    one = load_policy(policy_file(OURS + "[rules.travel]\nmiles = 5\n[rules.age_gap]\nyears = 8\n"))
    other = load_policy(policy_file(OURS + "[rules.age_gap]\nyears = 8\n[rules.travel]\nmiles = 5\n"))
    assert one.content_hash == other.content_hash


def test_a_limit_that_is_missing_or_of_the_wrong_kind_is_told():
    bare = replace(NATIONAL, sections={**NATIONAL.sections, "rules": {"travel": {"miles": "far"}}})
    with pytest.raises(PolicyError, match=r"rules.travel.miles is “far”, not a whole number"):
        bare.number("rules.travel.miles")
    with pytest.raises(PolicyError, match=r"gives no rules.age_gap.years. Add it"):
        bare.number("rules.age_gap.years")
    assert bare.on("rules.age_gap")  # what a policy does not name is in force


def test_read_policy_alone_does_not_know_the_catalogue(policy_file):
    file = policy_file(OURS + "[rules.luck]\nmiles = 5\n")
    assert read_policy(file).number("rules.luck.miles") == 5
    with pytest.raises(PolicyError, match=r"\[rules.luck\] is not known"):
        load_policy(file)


def test_the_national_policy_says_what_the_documents_say():
    assert NATIONAL.number("rules.minimum_age.years") == 21  # S 5(1), R 2
    assert NATIONAL.number("rules.age_gap.years") == 7  # S 5(1)
    assert NATIONAL.number("rules.dbs_current.years") == 3  # S 9
    assert NATIONAL.number("constraints.capacity.children") == 1  # NS 8.2
    assert NATIONAL.choice("scores.culture.when") == "if_requested"  # NS 7.5
    assert NATIONAL.number("priorities.no_parental_contact.months") == 12  # CA


def test_the_catalogue_tells_every_limit_once():
    keys = [(entry.section, entry.id) for entry in CATALOGUE]
    assert len(set(keys)) == len(keys)
    for entry in CATALOGUE:
        assert entry.title
        assert entry.source
        for limit in entry.limits.values():
            assert isinstance(limit, Whole | Choice)
    assert set(TIERS) >= set(NATIONAL.tiers)


@pytest.mark.parametrize("name", ["national", "northamptonshire", "rotherham", "surrey"])
def test_a_policy_written_as_a_file_decides_the_same(name):
    policy = replace(load_policy(name).with_weights(interests=77), title='Ours – "new"', minimum_fit=100)
    again = policy_of(as_toml(policy))
    assert (again.stamp, again.title, again.tiers) == (policy.stamp, policy.title, policy.tiers)
    assert again.number("scores.interests.weight") == 77
