"""Decisions made through proposals leave as one pseudonymised export, from which weights are learned."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from zipfile import ZipFile

import pytest
from conftest import Service
from sqlalchemy import select

from matcher.catalogue import load_policy
from matcher.errors import InputError
from matcher.instance import today
from matcher.learning.decisions import Decisions, read_export
from matcher.learning.learner import TooFewDecisionsError, WeightLearner
from matcher.planning.search import consider
from matcher.policy import Policy
from matcher.sample import write_sample
from matcher.scoring import Fits
from service import decisions as room
from service.database import tables
from service.database.base import Base
from service.decisions import ROUNDED_TO
from service.installation import import_folder
from service.permissions import Role
from service.repository import Repository

API = "/api/v1"
PROPOSALS, FEW = 23, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("decided")
    write_sample(path, 100, 80, 5, as_of=today())
    return path


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three people are enough, not ten: a test need not propose that often."""
    monkeypatch.setattr(room, "FEWEST", FEW)


class South:
    """An authority at work: its coordinator proposes and writes down what people answer, its analyst takes it away."""

    def __init__(self, service: Service, folder: Path) -> None:
        import_folder(service.database, service.keys, service.south, folder)
        self.service = service
        self.tags: dict[str, str] = {}
        self.desk, self.manager, self.analyst = (
            service.as_(role, "south") for role in (Role.COORDINATOR, Role.MANAGER, Role.ANALYST)
        )
        with service.database.read(service.south) as session:
            waiting = select(tables.Child.id).where(tables.Child.referral).order_by(tables.Child.reference)
            self.lists = self._lists(list(session.scalars(waiting)))

    def _lists(self, children: list[str]) -> Iterator[dict]:
        for child in children:
            asked = self.desk.get(f"{API}/children/{child}/shortlist", params={"rank_by": "fit"})
            if asked.status_code == 200 and len(asked.json()["shortlist"]) > 1:
                yield asked.json()

    def propose(self, place: int = 0) -> tuple[dict, str]:
        """The next child's list, of which one at a place is proposed; and the path of the proposal."""
        shown = next(self.lists)
        body = {"served": shown["served"], "volunteer": shown["shortlist"][place]["volunteer"], "reason": "other"}
        made = self.desk.post(f"{API}/proposals", json=body)
        if made.status_code == 409:  # spoken for meanwhile, or nearer than the data say
            return self.propose(place)
        assert made.status_code == 201
        path = f"{API}/matches/{made.json()['id']}"
        self.tags[path] = made.headers["ETag"]
        return shown, path

    def step(self, path: str, step: str, by: str, reason: str | None = None) -> None:
        said = {"step": step, "by": by, "reason": reason}
        told = self.desk.post(f"{path}/steps", json=said, headers={"If-Match": self.tags[path]})
        assert told.status_code == 200, told.text
        self.tags[path] = told.headers["ETag"]

    def answered(self, number: int) -> None:
        """One proposal: who is proposed, and what is answered, differ from one to the next."""
        _, path = self.propose(place=number % 2)
        self.step(path, "ask_volunteer", "authority")
        if number in (5, 15):
            self.step(path, "volunteer_declines", "volunteer", "no reason given")
            return
        self.step(path, "volunteer_accepts", "volunteer")
        if number % 3:
            self.step(path, "child_would_meet", "child")
        else:
            self.step(path, "child_declines", "child", "does not want this visitor")

    def exported(self, file: Path) -> Path:
        answer = self.analyst.get(f"{API}/decisions")
        assert answer.headers["content-type"] == "application/zip"
        file.write_bytes(answer.content)
        return file

    def policy(self) -> Policy:
        with self.service.database.read(self.service.south) as session:
            return Repository(session, self.service.keys).policy()[1]


@pytest.fixture
def south(service: Service, folder: Path) -> South:
    return South(service, folder)


def text_of(file: Path) -> str:
    with ZipFile(file) as parts:
        return "\n".join(parts.read(name).decode() for name in parts.namelist())


def test_from_proposals_to_weights(south: South, tmp_path: Path) -> None:
    for number in range(PROPOSALS):
        south.answered(number)
    file = south.exported(tmp_path / "decisions.zip")
    decisions, policy = read_export(file)
    assert policy.content_hash == south.policy().content_hash
    assert len(decisions.by("coordinator")) == PROPOSALS
    volunteers, children = decisions.by("volunteer"), decisions.by("child")
    assert (len(volunteers), int(volunteers.chosen.sum())) == (PROPOSALS, PROPOSALS - 2)
    assert len(children) == int(volunteers.chosen.sum()) > int(children.chosen.sum()) > 0
    assert set(decisions.by("social_worker").chosen) == {1}  # who agrees where the child would like to meet

    # the learner refuses with the number that it takes, or takes it
    with pytest.raises(TooFewDecisionsError, match=r"it takes \d+, 20 for each") as refused:
        WeightLearner(policy, decided_by="child").fit_decisions(children)
    assert refused.value.needed > len(children) >= 20
    learner = WeightLearner(policy, decided_by="child", learn=("closeness",)).fit_decisions(children)
    assert learner.n_decisions_ == len(children)
    assert learner.weights_.sum() == sum(policy.number(f"scores.{id}.weight") for id in learner.table.index)
    assert set(learner.held_) == {*learner.table.index} - {"closeness"}

    nobody_is_found_by(file, south, decisions)


def nobody_is_found_by(file: Path, south: South, decisions: Decisions) -> None:
    said = text_of(file)
    with south.service.database.read(south.service.south) as session:
        ids = {
            getattr(row, key.name)
            for mapper in Base.registry.mappers
            for row in session.scalars(select(mapper.class_))
            for key in mapper.primary_key
            if isinstance(getattr(row, key.name), str)
        }
        references = set(session.scalars(select(tables.Child.reference)))
        references |= set(session.scalars(select(tables.Volunteer.reference)))
        emails = set(session.scalars(select(tables.User.email)))
    rows = said.partition("name = ")[0]
    assert len(ids) > 300
    assert {one for one in ids | references | emails if one in said} == set()
    assert set(re.findall(r"\d{4}-\d\d-\d\d", rows)) == {f"{today().year}-01-01"}
    raw = decisions.frame[[name for name in decisions.frame if name.startswith("raw_")]]
    assert (raw.stack() % ROUNDED_TO == 0).all()
    pseudonym = decisions.frame["child"][0]
    assert south.analyst.get(f"{API}/children/{pseudonym}").status_code in (404, 422)
    # another export has other pseudonyms for the same people, in another order
    again = read_export(south.exported(file.with_name("again.zip")))[0]
    assert sorted(again.frame["raw_closeness"].dropna()) == sorted(decisions.frame["raw_closeness"].dropna())
    assert again.frame["raw_closeness"].tolist() != decisions.frame["raw_closeness"].tolist()
    # who took it away stands in the log, with how many decisions
    with south.service.database.read(south.service.south) as session:
        log = session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.reason == "decisions")).all()
    assert [one.details["coordinator"] for one in log] == [PROPOSALS, PROPOSALS]
    assert {one.actor for one in log} == {south.service.users["south", Role.ANALYST]}


def test_what_is_told_is_what_the_scores_said(south: South, three: None, tmp_path: Path) -> None:
    with south.service.database.read(south.service.south) as session:
        pairs = consider(Repository(session, south.service.keys).instance(today())).pairs
    children, volunteers = (pairs.tables.instance.waiting, pairs.tables.instance.volunteers)
    ids = [(children[i].id, volunteers[j].id) for i, j in zip(pairs.child_row, pairs.volunteer_row, strict=True)]
    of_pair = dict(zip(ids, Fits.of(pairs, south.policy()).told(), strict=True))
    lists = [south.propose(place=number % 2)[0] for number in range(6)]
    decisions, _ = read_export(south.exported(tmp_path / "decisions.zip"))
    told = [name for name in decisions.scores if decisions.scores[name].notna().any()]  # the others are of too few
    assert set(told) >= {"interests", "closeness", "visit_rhythm"}
    expected = sorted(
        [[near(of_pair[shown["child"], one["volunteer"]][name]) for name in told] for one in shown["shortlist"]]
        for shown in lists
    )
    raw = decisions.frame[[f"raw_{name}" for name in told]].astype(object).fillna(-1)
    assert sorted(
        raw.loc[some].to_numpy().tolist() for some in decisions.frame.groupby("decision").groups.values()
    ) == (expected)
    ranks = decisions.frame.groupby("decision")["rank"].agg(list)
    assert all(one == list(range(1, len(one) + 1)) for one in ranks)
    assert decisions.frame[decisions.frame["chosen"] == 1]["rank"].value_counts().to_dict() == {1: 3, 2: 3}


def near(said: int | None) -> int:
    return -1 if said is None else round(said / ROUNDED_TO) * ROUNDED_TO


def test_a_handful_of_people_is_not_told_of(south: South, three: None, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no decision"):
        read_export(south.exported(tmp_path / "nothing.zip"))
    lists = [south.propose()[0] for _ in range(FEW - 1)]
    few = south.exported(tmp_path / "few.zip")
    with pytest.raises(InputError, match=f"Fewer than {FEW} decisions by the coordinator are left out"):
        read_export(few)
    assert "child 1" not in text_of(few)
    lists.append(south.propose()[0])
    decisions, _ = read_export(south.exported(tmp_path / "enough.zip"))
    assert len(decisions) == FEW
    counted = Counter(
        score
        for shown in lists
        for score in {one["id"] for who in shown["shortlist"] for one in who["scores"] if one["counts"] == "known"}
    )
    rare = {score for score, children in counted.items() if children < FEW}
    assert rare
    assert {name for name in decisions.scores if decisions.scores[name].notna().any()} == {*counted} - rare
    about = text_of(tmp_path / "enough.zip")
    assert {score for score in counted if f"raw_{score} is blank: it counts for fewer than {FEW}" in about} == rare


def test_a_decision_alone_in_its_year_is_not_told_of() -> None:
    policy = load_policy("national")

    def said(number: int, year: int) -> room.Said:
        volunteer = f"v{number}"
        return room.Said("child", date(year, 3, 1), f"c{number}", {volunteer: 1}, volunteer, {volunteer: {}}, policy)

    many, alone = [said(number, 2026) for number in range(room.FEWEST)], said(0, 2027)
    kept, about = room._of_enough_people([*many, alone])
    assert kept == many
    assert [one.partition(" decisions")[0] for one in about] == [f"Fewer than {room.FEWEST}"]


def test_a_no_for_reasons_outside_the_pair_tells_nothing(south: South, three: None, tmp_path: Path) -> None:
    for number in range(6):
        _, path = south.propose(place=number % 2)
        reason = "too little time" if number < 2 else "too far"
        south.step(path, "volunteer_declines", "volunteer", reason)
    decisions, _ = read_export(south.exported(tmp_path / "decisions.zip"))
    assert len(decisions.by("volunteer")) == 4
    assert len(decisions.by("coordinator")) == 6


def test_decisions_under_earlier_policies_come_with_them(south: South, three: None, tmp_path: Path) -> None:
    def in_force(toml: str) -> None:
        tag = {"If-Match": south.desk.get(f"{API}/policies/current").headers["ETag"]}
        draft = {
            "toml": f'name = "ours"\ntitle = "Ours"\nversion = "1"\ninherits = "national"\n{toml}',
            "reason": "test",
        }
        assert south.manager.post(f"{API}/policies", json=draft, headers=tag).status_code == 201

    first = south.policy()
    for _ in range(FEW):
        south.propose()
    in_force('[scores.interests]\nweight = 70\nsource = "a test"\n')
    for _ in range(FEW - 1):  # a version with few decisions would date them
        south.propose()
    decisions, policy = read_export(south.exported(tmp_path / "heavier.zip"))
    assert policy.number("scores.interests.weight") == 70
    assert set(decisions.frame["policy_hash"]) == {first.content_hash} != {policy.content_hash}
    assert len(decisions) == FEW
    assert f"Fewer than {FEW} decisions by the coordinator are left out" in text_of(tmp_path / "heavier.zip")
    south.propose()
    decisions, _ = read_export(south.exported(tmp_path / "enough.zip"))
    assert set(decisions.frame["policy_hash"]) == {first.content_hash, policy.content_hash}
    in_force('[scores.culture]\nwhen = "always"\nsource = "a test"\n')  # now culture means something else
    with pytest.raises(InputError, match=f"{2 * FEW} decisions are left out: a score meant something else"):
        read_export(south.exported(tmp_path / "otherwise.zip"))


def test_who_is_erased_is_in_no_export(south: South, three: None, tmp_path: Path) -> None:
    for number in range(6):
        shown, path = south.propose(place=number % 2)
        south.step(path, "volunteer_declines", "volunteer", "too far")
    before, _ = read_export(south.exported(tmp_path / "before.zip"))
    child = shown["child"]
    other = shown["shortlist"][0]["volunteer"]  # who was shown, and not chosen
    for path in (f"/volunteers/{other}", f"/children/{child}"):
        told = south.manager.post(f"{API}{path}/erasure", json={"reason": "asked to be erased"})
        assert told.status_code == 204, told.text
    after, _ = read_export(south.exported(tmp_path / "after.zip"))
    assert len(after.by("volunteer")) == len(before.by("volunteer")) - 1
    with south.service.database.read(south.service.south) as session:
        rows = Repository(session, south.service.keys)
        kept = [rows.open(one, "scores") or "" for one in session.scalars(select(tables.Decision))]
    assert not [one for one in kept if other in one]
    assert len(after.frame) < len(before.frame)


def test_what_is_kept_of_a_child_has_what_the_scores_said(south: South) -> None:
    shown, path = south.propose()
    match = south.desk.get(path).json()
    told = south.manager.get(f"{API}/children/{shown['child']}/export").json()
    (proposed,) = told["matches"][-1]["decisions"]
    assert set(proposed["scores"]) == {score["id"] for score in shown["shortlist"][0]["scores"]}
    of_volunteer = south.manager.get(f"{API}/volunteers/{match['volunteer']}/export").text
    others = {one["volunteer"] for one in shown["shortlist"]} - {match["volunteer"]}
    assert not [id for id in others if id in of_volunteer]


def test_a_later_word_counts(south: South, three: None, tmp_path: Path) -> None:
    for number in range(5):
        _, path = south.propose()
        south.step(path, "ask_volunteer", "authority")
        south.step(path, "volunteer_accepts", "volunteer")
        south.step(path, "child_would_meet", "child")
        if number < 3:
            south.step(path, "child_declines", "child", "does not want this visitor")
        if number == 2:  # it was another child: that no is no answer
            tag = {"If-Match": south.tags[path]}
            assert south.manager.post(f"{path}/take-back", json={"reason": "a slip"}, headers=tag).status_code == 200
        if number == 4:
            south.step(path, "social_worker_declines", "social worker", "not in the child's interest")
    decisions, _ = read_export(south.exported(tmp_path / "decisions.zip"))
    found = {by: int(decisions.by(by).chosen.sum()) for by in ("volunteer", "child", "social_worker")}
    assert found == {"volunteer": 5, "child": 3, "social_worker": 4}
