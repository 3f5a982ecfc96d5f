"""What is agreed or proposed stays in the plan, as long as no rule forbids it; and then it is told, never dropped."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from matcher.audit import audit
from matcher.explain import explain
from matcher.instance import Instance
from matcher.pairs import Ints
from matcher.plan import NotKept
from matcher.scoring import Scored


def kept_pins(scored: Scored) -> tuple[Ints, tuple[NotKept, ...]]:
    """The rows of the pairs that a plan has to keep, what is agreed first; and those that it cannot keep, with why."""
    instance, pairs = scored.pairs.tables.instance, scored.pairs
    rows: list[int] = []
    lost: list[NotKept] = []
    if not (instance.pins and instance.policy.on("constraints.pinned")):
        return np.array(rows, dtype=np.int64), ()
    child = {one.id: place for place, one in enumerate(instance.waiting)}
    volunteer = {one.id: place for place, one in enumerate(instance.volunteers)}
    kept: list[tuple[str, str]] = []
    for match in instance.pins:
        pair = match.child, match.volunteer
        here = (pairs.child_row == child.get(match.child, -1)) & (pairs.volunteer_row == volunteer[match.volunteer])
        broken = [violation.sentence for violation in audit(instance, [*kept, pair], whole=False)]
        if here.any() and not broken:
            kept.append(pair)
            rows += np.flatnonzero(here).tolist()
        elif pair not in kept:
            reason = " ".join(dict.fromkeys(_against(instance, *pair))) or f"{'; '.join(broken)}."
            lost.append(NotKept(*pair, str(match.status), reason[0].upper() + reason[1:]))
    return np.array(sorted(rows), dtype=np.int64), tuple(lost)


def no_longer(scored: Scored, planned: Iterable[tuple[str, str]]) -> tuple[NotKept, ...]:
    """Which pairs of a plan before are not eligible by now, with why. Who waits no longer has nothing to be told."""
    instance, pairs = scored.pairs.tables.instance, scored.pairs
    waiting = {child.id: row for row, child in enumerate(instance.waiting)}
    people = {volunteer.id: row for row, volunteer in enumerate(instance.volunteers)}
    lost = []
    for child, volunteer in planned:
        if child not in waiting:
            continue
        if volunteer not in people:
            lost.append(NotKept(child, volunteer, "planned", f"{volunteer} is no longer on file."))
        elif not ((pairs.child_row == waiting[child]) & (pairs.volunteer_row == people[volunteer])).any():
            lost.append(NotKept(child, volunteer, "planned", " ".join(_against(instance, child, volunteer))))
    return tuple(lost)


def _against(instance: Instance, child: str, volunteer: str) -> list[str]:
    """What forbids the pair by itself, in sentences."""
    if child in instance.visited:
        return [f"{child} has a visitor now."]
    reasons = explain(instance, child, volunteer).reasons
    return [reason.sentence for reason in reasons if reason.verdict in ("fails", "not recorded")]
