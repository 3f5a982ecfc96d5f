"""Pair rules about the child alone."""

from __future__ import annotations

import numpy as np

from matcher.pairs import Between, Bools, Pairs, code
from matcher.policy import Policy
from matcher.records import Agreement
from matcher.rules.base import PairRule


class ChildAgrees(PairRule):
    id = "child_agrees"
    title = "The child has agreed to have a visitor"
    short = "without the child's agreement"
    source = "CA (6); NS 2.3; S 2"
    about = "child"
    core = True
    reads = ("child.agrees",)

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        return np.asarray(pairs.child.agrees == code(Agreement.YES))

    def passing(self, between: Between, policy: Policy) -> str:
        return f"{between.child.id} has agreed to have a visitor."

    def failing(self, between: Between, policy: Policy) -> str:
        if between.child.agrees is Agreement.NO:
            return f"{between.child.id} does not want a visitor. The child's no is final."
        return f"{between.child.id} has not been asked yet whether they would like a visitor."
