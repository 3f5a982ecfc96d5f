"""That nothing stands over or against anything else, on a telephone and on a desk."""

from __future__ import annotations

from browser import Site, faults
from sqlalchemy import select
from test_proposals import FIRST

from matcher.records import Party
from service.database import tables
from service.proposals import propose, take_step
from service.repository import Repository

OVERLAPPING = """() => {
  const heading = document.querySelector("h1"), tag = heading.querySelector(".govuk-tag").getBoundingClientRect();
  return [...heading.querySelectorAll("a")].flatMap((one) => [...one.getClientRects()])
    .some((one) => tag.top < one.bottom + 2 && tag.bottom > one.top && tag.left < one.right && tag.right > one.left);
}"""
"""Whether the tag of a heading lies over a line of its links, or over what underlines it."""
APART = """() => {
  const rects = [...document.querySelectorAll(".kith-way li")].map((one) => {
    const range = document.createRange();
    range.selectNodeContents(one);
    return range.getBoundingClientRect();
  });
  return Math.min(...rects.slice(1).map((one, at) => one.top > rects[at].top ? 99 : one.left - rects[at].right));
}"""
"""The least space between two labels of the way of a proposal, in pixels."""


REASONS = ("does not feel safe with this visitor", "does not want a visitor now")


def considered(site: Site, child: str, volunteer: str) -> str:
    """The id of a proposal that its volunteer considers: the longest of the labels."""
    with site.kith.database.write(site.north) as session:
        rows = Repository(session, site.kith.keys)
        user = session.scalars(select(tables.User.id).where(tables.User.authority_id == site.north)).first() or ""
        match = propose(rows, child, volunteer, user_id=user, reason="first on the shortlist", chosen=FIRST)
        take_step(rows, match.id, "ask_volunteer", by=Party.AUTHORITY, user_id=user)
        return match.id


def test_the_heading_and_the_way_of_a_proposal_do_not_touch_what_is_beside_them(site: Site) -> None:
    address = f"{site.at}/proposals/{considered(site, *site.pairs[0])}"
    for width in (320, 390, 640, 1024, 1280):
        page = site.page(width=width)
        page.goto(address)
        assert not page.evaluate(OVERLAPPING), width
        assert page.evaluate(APART) >= 8, width
        page.context.close()
    page = site.page()
    assert faults(page, address) == []


def test_today_and_the_lists_that_it_leads_to_fit_a_telephone(site: Site) -> None:
    for pair, reason in zip(site.pairs[1:3], REASONS, strict=True):
        match = considered(site, *pair)
        with site.kith.database.write(site.north) as session:
            rows = Repository(session, site.kith.keys)
            user = session.scalars(select(tables.User.id).where(tables.User.authority_id == site.north)).first() or ""
            take_step(rows, match, "child_declines", by=Party.CHILD, user_id=user, reason=reason)
    page = site.page()
    for path in ("/", "/children?show=to%20ask", f"/volunteers/{site.pairs[1][1]}?saved=suspended"):
        assert faults(page, site.at + path) == []
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{site.at}/")
    last = page.locator(".kith-today__waits .kith-rows").first.locator("li").last.bounding_box()
    assert last is not None
    assert last["y"] + last["height"] < 900  # who waits longest is seen at once, whatever needs attention
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(f"{site.at}/")
    told = page.locator(".kith-alarms .kith-rows span")
    assert all(one.bounding_box()["width"] > 200 for one in told.all())  # type: ignore[index]
    assert told.count()
    considered(site, *site.pairs[3])
    page.goto(f"{site.at}/")
    steps = page.locator(".kith-rows--told span")
    assert steps.count()
    assert all(one.bounding_box()["width"] > 200 for one in steps.all())  # type: ignore[index]
    page.context.close()


def test_a_long_list_of_people_is_a_short_page_on_a_telephone(site: Site) -> None:
    """Each is a card of a few lines, where it was a line for every fact: no wider than the telephone, and all told."""
    page = site.page(width=390)
    for path in ("/children?show=everybody", "/volunteers"):
        page.goto(site.at + path)
        cards = page.locator(".kith-people tbody tr")
        heights = cards.evaluate_all("all => all.map(one => one.offsetHeight)")
        assert sum(heights) / len(heights) < 170, path  # a line each: 250
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        first = cards.first
        who, *facts, stands = (one.bounding_box() for one in first.locator("th, td").all())
        assert all(one["y"] >= who["y"] + who["height"] for one in facts), path  # type: ignore[index]
        assert stands["y"] < min(one["y"] for one in facts), path  # type: ignore[index]
    page.context.close()
