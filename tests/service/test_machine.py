"""Months of a service at random: whatever people do, what must hold holds after every single action.

`machine_acts.py` has what they do, `machine_holds.py` what must hold, `machine_rules.py` the rules in plain Python.
"""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta, tzinfo
from types import SimpleNamespace

import pytest
from conftest import Service
from hypothesis import HealthCheck, Phase
from hypothesis import settings as examples
from hypothesis.stateful import run_state_machine_as_test
from machine_acts import Acts
from machine_holds import API, written, years_ago
from machine_people import child_facts, volunteer_facts
from set_back import Backups, sequences_of

from matcher import instance
from service.database import base
from service.permissions import Role

ENOUGH, STEPS = 16, int(os.environ.get("KITH_MACHINE_STEPS", "30"))
SEED = int(os.environ.get("KITH_MACHINE_SEED", "2"))
"""`make machine` runs three hundred sequences. KITH_MACHINE_SEED draws others."""
PHASES = [Phase.generate, *([Phase.shrink] if "KITH_MACHINE_SHRINK" in os.environ else [])]
"""A sequence is made shorter only when asked for: it takes minutes."""

WANTED = {f"a match is {state}" for state in ("agreed", "active", "paused", "declined", "ended")} | {
    "POST /api/v1/proposals 201", "POST /api/v1/matches/*/steps 200", "POST /api/v1/families 200",
    "POST /api/v1/matches/*/take-back 200",
    "PATCH /api/v1/children/* 200", "POST /api/v1/runs/*/publish 200", "POST /api/v1/imports/check 200", "restored",
}  # fmt: skip
"""What has to have happened, somewhere among the sequences, where there are enough."""
LEAST = {"PATCH /api/v1/children/* 200", "POST /api/v1/matches/*/steps 200", "restored"}
"""And where there are few."""


class Clock(datetime):
    """What the service takes for now: days go by when the machine says so. It begins at noon, far from midnight."""

    began = datetime.now(UTC)
    days = 0
    dice = random.Random(0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        real = datetime.now(UTC)
        noon = cls.began.replace(hour=12, minute=0)
        return (noon + (real - cls.began) + timedelta(days=cls.days)).astimezone(tz)

    @classmethod
    def forward(cls, days: int) -> None:
        cls.days += days

    @classmethod
    def reset(cls) -> None:
        cls.days, cls.dice = 0, random.Random(1)  # ids other than those of whoever was set up


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> type[Clock]:
    """The clock, and ids that are the same every time: so is what comes first where two are alike."""
    Clock.began, Clock.days, Clock.dice = datetime.now(UTC), 0, random.Random(0)
    monkeypatch.setattr(instance, "datetime", Clock)
    monkeypatch.setattr(base, "datetime", Clock)
    monkeypatch.setattr(base, "secrets", SimpleNamespace(randbelow=lambda most: Clock.dice.randrange(most)))
    return Clock


def test_whatever_people_do(service: Service, clock: type[Clock], backups: Backups) -> None:
    sequences = sequences_of("KITH_MACHINE", service.database, ENOUGH)
    set_up(service)
    backups.remember()
    Acts.beginning = backups.make()
    Acts.service, Acts.backups, Acts.clock, Acts.seen = service, backups, clock, Counter()
    Acts._hypothesis_internal_use_seed = SEED
    run_state_machine_as_test(
        Acts,
        settings=examples(
            max_examples=sequences, stateful_step_count=STEPS, database=None, deadline=None,
            phases=PHASES, suppress_health_check=list(HealthCheck), print_blob=False,
        ),
    )  # fmt: skip
    # So that it cannot pass for having done nothing.
    wanted = WANTED if sequences >= ENOUGH else LEAST
    assert Acts.seen.keys() >= wanted, wanted - Acts.seen.keys()
    if sequences > 30:
        lines = [f"{number:6}  {what}" for what, number in sorted(Acts.seen.items())]
        sys.stdout.write("\n".join(["What was done and seen:", *lines, ""]))


_KINDS = {"child": "QC", "volunteer": "QV"}


def set_up(service: Service) -> None:
    """Six children and six approved volunteers; one child is visited, one was, one is about to be, two are siblings."""
    manager = service.as_(Role.MANAGER, "south")
    ids = []
    for n in range(1, 7):
        body = {"reference": f"QC10{n}", "siblings": None if n == 6 else [], "facts": child_facts(n)}
        ids.append(manager.post(f"{API}/children", json=body).json()["id"])
        made = manager.post(f"{API}/volunteers", json={"reference": f"QV10{n}", "facts": volunteer_facts(n)})
        path, body = f"{API}/volunteers/{made.json()['id']}/status", {"status": "approved", "reason": "panel approved"}
        assert manager.post(path, json=body, headers={"If-Match": made.headers["ETag"]}).status_code == 200
    assert manager.post(f"{API}/families", json={"children": ids[2:4]}).status_code == 200
    tag = {"If-Match": manager.get(f"{API}/budgets/E06000062").headers["ETag"]}
    budget = {"budget_pence": 20_000, "spent_pence": 0}
    assert manager.put(f"{API}/budgets/E06000062", json=budget, headers=tag).status_code == 200
    on, matches = written(years_ago(1)), "child_id,volunteer_id,status,started_on,ended_on,family\n"
    matches += f"QC101,QV101,current,{on},,none\nQC102,QV101,ended,{on},{on},none\nQC105,QV105,agreed,,,none\n"
    there = {f"{kind}_id": "".join(f"{letter}10{n}\n" for n in range(1, 7)) for kind, letter in _KINDS.items()}
    texts = {"children": f"child_id\n{there['child_id']}", "volunteers": f"volunteer_id\n{there['volunteer_id']}"}
    texts["matches"] = matches
    files = [("files", (f"{name}.csv", text.encode())) for name, text in texts.items()]
    told = manager.post(f"{API}/imports/check", files=files).json()
    assert told["usable"], told
    data = {"stamp": told["stamp"], "weaken": [one["key"] for one in told["weaker"]]}
    assert manager.post(f"{API}/imports", files=files, data=data).status_code == 201
