"""Threads: answers come in the order of what was asked, and work in the background gives way."""

from __future__ import annotations

from threading import get_ident

import numpy as np
import pytest
from making import a_child, a_volunteer, an_instance

from matcher import parallel
from matcher.parallel import give_way, giving_way_to, in_order
from matcher.planning.effects import Effects
from matcher.solving.flows import least_cost


@pytest.mark.parametrize("many", [0, 1, 2, 20])
def test_work_gives_way_before_each_piece_in_whichever_thread(many, monkeypatch):
    monkeypatch.setattr(parallel, "processors", lambda: 3)
    paused, worked = [], []

    def work(number):
        worked.append((number, len(paused)))
        return number * number

    with giving_way_to(lambda: paused.append(get_ident())):
        assert list(in_order(work, range(many))) == [number * number for number in range(many)]
        assert len(paused) == many
        assert all(before > 0 for _, before in worked)
    give_way()
    assert list(in_order(work, range(many))) == [number * number for number in range(many)]
    assert len(paused) == many  # nobody else's work does


def test_work_that_nobody_needs_any_more_ends_where_it_would_give_way():
    class NobodysError(Exception):
        pass

    done = []

    def pause():
        if done:
            raise NobodysError

    with giving_way_to(pause), pytest.raises(NobodysError):
        list(in_order(done.append, range(100)))
    assert len(done) < 100


def test_each_flow_is_a_piece_of_work():
    paused = []
    with giving_way_to(lambda: paused.append(1)):
        flow = least_cost(*(np.array([one]) for one in (0, 1, 1, 3)), source=0, sink=1, amount=1)
        assert len(paused) == 1
        flow.ways_back(2, 0)
        assert len(paused) == 2


def test_plan_effects_give_way_and_are_the_same():
    instance = an_instance([a_child(f"C{n}") for n in range(6)], [a_volunteer(f"V{n}") for n in range(4)])
    paused = []
    with giving_way_to(lambda: paused.append(1)):
        effects = Effects.of(instance).exact("C0", "V1")
    assert paused
    assert effects == Effects.of(instance).exact("C0", "V1")
