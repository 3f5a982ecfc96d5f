"""What each council's document allows and another's forbids, and that every preset says where it has it from."""

from __future__ import annotations

import re
import runpy
from dataclasses import dataclass, field
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from making import NORTH, TOMORROW, WEST, a_child, a_place, a_volunteer, an_instance

from matcher.audit import audit
from matcher.catalogue import CATALOGUE, DOCUMENTS, load_policy
from matcher.explain import explain
from matcher.pairs import tables
from matcher.pipeline import match
from matcher.policies.files import preset_names
from matcher.policy_words import differences, said
from matcher.records import Authority, Contact, Match, MatchStatus, Plan, Rhythm, Strength
from matcher.scoring import score

N, R, S, NS = "northamptonshire", "rotherham", "surrey", "national"
PRESETS = {name: load_policy(name) for name in (NS, N, R, S)}


@dataclass(frozen=True)
class Pair:
    """A pair that keeps every rule of every preset but for what is changed, and who forbids it."""

    what: str
    rule: str
    forbidden_by: set[str]
    child: dict[str, Any] = field(default_factory=dict)
    volunteer: dict[str, Any] = field(default_factory=dict)
    rest: dict[str, Any] = field(default_factory=dict)


PAST = Match("C9", "V1", MatchStatus.ENDED, family="F9", started_on=date(2025, 1, 1), ended_on=date(2026, 1, 1))
DRIVES = {
    "drives": True, "licence_checked_on": date(2026, 3, 1), "insured_until": date(2027, 3, 1),
    "insured_for_volunteering": True, "mot_until": date(2027, 3, 1),
}  # fmt: skip
AWAY = {"responsible_authority": WEST, "placement_council": NORTH}


def funded(pence: int) -> dict[str, Any]:
    return {"authorities": [Authority(WEST, pence)]}


PAIRS = [
    Pair("committed for two years", "commitment", set(), volunteer={"commitment_until": date(2028, 11, 1)}),
    # N Expectations 1 and S 5(2) ask for two years, NS 5 for one, R names none.
    Pair("committed for a year", "commitment", {N, S}, volunteer={"commitment_until": date(2027, 11, 1)}),
    # N Recruitment: one of the two “from a professional”; R 12: “two personal referees”; S 6: “where applicable”.
    Pair("two references, both personal", "references", {N}, volunteer={"professional_references": 0}),
    Pair("no proof of the right to work", "right_to_work", {N}, volunteer={"right_to_work": False}),
    # N Recruitment: “if the applicant declares a medical issue”.
    Pair("a condition, not cleared yet", "medical_clearance", {N},
         volunteer={"medical_condition": True, "medical_clearance_on": TOMORROW}),
    # N Recruitment: “updated on a yearly basis”; S 9 and 14.11: three-yearly; R and NS do not speak of driving.
    Pair("drives, all papers in date", "vehicle_documents", set(), volunteer=DRIVES),
    Pair("drives, licence checked two years ago", "vehicle_documents", {N},
         volunteer={**DRIVES, "licence_checked_on": date(2024, 11, 1)}),
    Pair("drives, not insured for volunteering", "vehicle_documents", {N, S},
         volunteer={**DRIVES, "insured_for_volunteering": False}),
    # N Recruitment and S 6 check the authority's own records; S 9 every three years.
    Pair("records never checked", "database_check", {N, S}, volunteer={"database_checked_on": None}),
    Pair("records checked four years ago", "database_check", {N, S},
         volunteer={"database_checked_on": date(2022, 11, 1)}),
    # N Supervision: three a year “for the match to continue to be approved”; S 9 and R 15 expect and make no condition.
    Pair("two sessions in the year of the last match", "support_sessions", {N},
         volunteer={"support_sessions": 2}, rest={"matches": [PAST]}),
    # NP: “in care for at least 1 year”, “proceedings being concluded”, a long-term plan.
    Pair("in care for eight months", "referral_ready", {N}, {"looked_after_since": date(2026, 3, 1)}),
    Pair("proceedings go on", "referral_ready", {N}, {"proceedings_concluded": False}),
    Pair("to go home", "referral_ready", {N}, {"long_term_plan": Plan.OTHER}),
    Pair("in care for eight months, unaccompanied", "referral_ready", set(),
         {"looked_after_since": date(2026, 3, 1), "unaccompanied": True}),
    # NP: “about to move placement”.
    Pair("about to move", "placement_stable", {N}, {"placement_move_pending": True}),
    # R 13: “prior approval of their Team Manager”.
    Pair("without the team manager's approval", "manager_approval", {R}, {"manager_approved": False}),
    # NP: “Your manager will need to agree to pay”.
    Pair("out of county, nobody agreed to pay", "funding_agreed", {N}, {**AWAY, "funding_agreed": False},
         rest=funded(1_000_000)),
    Pair("out of county, agreed", "funding_agreed", set(), AWAY, rest=funded(1_000_000)),
    # N Age limits and S 12.1.9 support to 21: two years before it where two are asked for, one where one is.
    Pair("17 years and eight months", "time_left", set(), {"date_of_birth": date(2009, 3, 1)}),
    Pair("19 and a half, referred at 17", "time_left", {N, S},
         {"date_of_birth": date(2007, 5, 1), "referred_on": date(2025, 4, 1)}),
    # NP buys visits out of county; R App. 2 and S 12.1.6 pay mileage, and next door costs none.
    Pair("next door but out of county, £1,000 left", "out_of_county_budget", {N}, AWAY, rest=funded(100_000)),
    # A mile away: 2 × 45p × 12 visits = £10.80 a year (S 5(2), NS 8.1: monthly), × 24 = £21.60 (R App. 2: twice).
    Pair("a mile away, £11 left", "out_of_county_budget", {N, R}, {**AWAY, "placement": a_place(1609)},
         rest=funded(1_100)),
]  # fmt: skip


def _instance(pair: Pair, preset: str) -> Any:
    child, volunteer = a_child(**pair.child), a_volunteer(**pair.volunteer)
    return an_instance([child], [volunteer], policy=PRESETS[preset], **pair.rest)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.what)
def test_what_one_council_allows_and_another_forbids(pair, preset):
    instance = _instance(pair, preset)
    told = explain(instance, "C1", "V1")
    forbidding = {reason.rule for reason in told.reasons if reason.verdict not in ("passes", "not in force")}
    assert (pair.rule in forbidding) == (preset in pair.forbidden_by), told.reasons
    assert forbidding <= {pair.rule}
    assert {violation.rule for violation in audit(instance, [("C1", "V1")])} == forbidding


def test_the_table_has_every_rule_on_which_a_preset_differs():
    forbidden = {(preset, pair.rule) for pair in PAIRS for preset in pair.forbidden_by}
    shown = {pair.rule for pair in PAIRS} | {"partners_apart"}
    for preset in (N, R, S):
        for line in differences(PRESETS[preset], PRESETS[NS]):
            if line.section in ("rules", "constraints"):
                assert line.id in shown, (preset, line.id)
            if line.section == "rules" and line.one["on"] and not line.other["on"]:
                assert (preset, line.id) in forbidden


# ---- what no single pair shows ---------------------------------------------------------------------------------------


def test_partners_do_not_visit_siblings_in_surrey():
    children = [a_child("C1", family="F1"), a_child("C2", family="F1")]
    partners = [a_volunteer("V1", household="H1"), a_volunteer("V2", household="H1")]
    matched = {name: len(match(an_instance(children, partners, policy=it)).matches) for name, it in PRESETS.items()}
    assert matched == {NS: 2, N: 2, R: 2, S: 1}  # S 15.5


def test_culture_counts_in_rotherham_where_nobody_asked():
    # R 14: “where ever possible”; NS 7.5: “if requested by the child”.
    child = a_child(culture_request=Strength.NONE)
    pairs = {name: tables(an_instance([child], [a_volunteer()], policy=it)).pair("C1", "V1")
             for name, it in PRESETS.items()}  # fmt: skip
    points = {name: int(score(pair, PRESETS[name]).by_score["culture"][0]) for name, pair in pairs.items()}
    assert points[R] > 0
    assert points[NS] == points[N] == points[S] == 0


def test_a_visit_a_month_is_enough_in_surrey():
    # S 5(2): “at least once a month”; N Expectations 1: “fortnightly where possible”; R App. 2: twice a month.
    volunteer = a_volunteer(possible_visits=Rhythm.MONTHLY)
    fits = {}
    for name, policy in PRESETS.items():
        pair = tables(an_instance([a_child()], [volunteer], policy=policy)).pair("C1", "V1")
        line = next(line for line in explain(pair.tables.instance, "C1", "V1").scores if line.id == "visit_rhythm")
        fits[name] = line.points / (line.weight or 1)
    assert fits[S] > max(fits[N], fits[R])


def test_northamptonshire_puts_children_without_parental_contact_first():
    # N Referral process: they “will be prioritised”. By points alone two years of waiting outweigh their 500.
    alone = a_child("C1", parental_contact=Contact.NONE, referred_on=date(2026, 10, 31))
    waits = a_child("C2", parental_contact=Contact.REGULAR, referred_on=date(2024, 11, 1))
    planned = {name: match(an_instance([alone, waits], [a_volunteer()], policy=it)).pairs[0][0]
               for name, it in PRESETS.items()}  # fmt: skip
    assert planned == {NS: "C2", N: "C1", R: "C2", S: "C2"}


# ---- where each preset has it from -----------------------------------------------------------------------------------


def test_the_page_is_in_step():
    root = Path(__file__).parents[2]
    page = runpy.run_path(str(root / "scripts" / "build_presets.py"))["presets_page"]()
    assert (root / "docs" / "presets.md").read_text(encoding="utf-8") == page, "run scripts/build_presets.py"


def test_every_citation_is_of_a_document_that_is_named():
    cited = {source.split()[0].rstrip(":;") for policy in PRESETS.values() for entry in CATALOGUE
             for source in (policy.source(f"{entry.section}.{entry.id}") or entry.source).split("; ")}  # fmt: skip
    assert {word for word in cited if word.isupper()} <= DOCUMENTS.keys()


CITES = {N: r"N [A-Z]|NP ", R: r"R \d|R App\. ", S: r"S \d"}


@pytest.mark.parametrize(("preset", "document"), [(N, r"NP?"), (R, "R"), (S, "S")])
def test_a_document_that_a_rule_rests_on_is_not_called_silent(preset, document):
    cited = re.compile(rf"(?:^|; )(?:{document})(?: |;|$)")
    resting = [f"{entry.section}.{entry.id}" for entry in CATALOGUE if cited.search(entry.source)]
    assert len(resting) > 10
    assert [path for path in resting if PRESETS[preset].origins.get(path) != preset] == []


def test_every_preset_is_here():
    assert set(preset_names()) == set(PRESETS)


@pytest.mark.parametrize("preset", [N, R, S])
def test_a_preset_cites_its_own_document_and_lists_where_it_is_silent(preset):
    text = resources.files("matcher").joinpath("policies", f"{preset}.toml").read_text(encoding="utf-8")
    listing = text.partition("# ---- silent: as national")[2].replace("\n#   ", " ")
    silent = {f"{section}.{id}" for section, ids in re.findall(r"# (\w+): (.*)", listing) for id in ids.split(", ")}
    policy = PRESETS[preset]
    for entry in CATALOGUE:
        path = f"{entry.section}.{entry.id}"
        assert (path in silent) == (policy.origins.get(path) != preset), f"{path}: own lines or silent, and not both"
        if path in silent:
            assert said(entry, policy) == said(entry, PRESETS[NS])
        else:
            assert re.match(CITES[preset], policy.source(path) or ""), path
    assert len(silent) + text.count('\nsource = "') == len(CATALOGUE)
