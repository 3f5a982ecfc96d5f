"""What an analyst may know of a child: enough to weigh a policy, not enough to find the child."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

from matcher.records import Child

_LEFT_OUT = (
    "id", "family", "date_of_birth", "placement", "provider", "coordinator", "referred_on", "looked_after_since",
    "last_parental_visit", "unaccompanied", "safeguarding_issue",
)  # fmt: skip


def pseudonymised(child: Child, as_of: date) -> dict[str, Any]:
    """The facts without dates, place, family and provider; age in years and days waited instead."""
    facts = {name: value for name, value in asdict(child).items() if name not in _LEFT_OUT}
    born = child.date_of_birth
    years = born and as_of.year - born.year - ((as_of.month, as_of.day) < (born.month, born.day))
    waited = (as_of - child.referred_on).days if child.referred_on else None
    return {**facts, "age": years, "days_waited": waited}
