"""In which order people stand on the pages, and by which words they are grouped: as each line itself tells it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html import unescape

import pytest
from conftest import Service
from page_reading import HTML

from matcher.alone import Lapse
from matcher.catalogue import title_of
from matcher.constraints import in_force
from matcher.instance import today
from matcher.records import Child, Place, Volunteer
from service.pages.journeys import SIZE, picture
from service.pages.today import TOP, grouped
from service.permissions import Role
from service.repository import Repository

Rows = list[dict[str, str]]


def rows_of(page: str) -> Rows:
    """The lines of the list on a page: the cells by their headings, and whose line it is."""
    found = []
    for line in re.findall(r'<tr class="govuk-table__row" role="row">\s*(<th scope="row".*?)</tr>', page, re.S):
        cells = re.findall(r'data-label="([^"]*)"[^>]*>(.*?)</td>', line, re.S)
        who = re.search(r">([^<]+)</a>", line)
        assert who is not None
        words = {name: " ".join(re.sub(r"<[^>]*>", " ", cell).split()) for name, cell in cells}
        found.append({"who": who[1], **words})
    return found


def as_day(text: str) -> date:
    """A day of a table; what is not recorded comes last."""
    found = re.search(r"\d+ \w{3} \d{4}", text)
    return datetime.strptime(found[0], "%d %b %Y").replace(tzinfo=UTC).date() if found else date.max


def spread(service: Service) -> None:
    """Children who were referred on days of their own, volunteers who are committed until days of their own."""
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        instance = rows.instance(today())
        for number, child in enumerate(instance.children):
            row, days = rows.child(child.id), 40 + (number * 17) % 400
            record = rows.child_record(row, family_known=True)
            rows.write_child(row, replace(record, referred_on=today() - timedelta(days=days)))
        for number, one in enumerate(instance.volunteers):
            until = today() + timedelta(days=800 + (number * 7) % 60)
            rows.write_volunteer(rows.volunteer(one.id), replace(one, commitment_until=until))


def test_children_stand_in_each_order_as_their_lines_tell_it(service: Service) -> None:
    spread(service)
    browser = service.as_(Role.COORDINATOR)
    told: dict[str, Callable[[dict[str, str]], object]] = {
        "wait": lambda line: as_day(line["Referred"]),
        "priority": lambda line: -int(line["Priority"].replace(",", "")),
        "reference": lambda line: line["who"],
    }
    for sort, by in told.items():
        lines = rows_of(browser.get(f"/children?show=waiting&sort={sort}", headers=HTML).text)
        keys = [by(line) for line in lines]
        assert len(set(keys)) > 2, sort
        assert keys == sorted(keys), sort  # type: ignore[type-var]


def test_the_first_page_has_who_waits_longest_and_who_comes_first_by_priority(service: Service) -> None:
    spread(service)
    browser = service.as_(Role.COORDINATOR)
    page = browser.get("/", headers=HTML).text
    for heading, sort in (("Waiting longest of those who are ready", "wait"), ("Highest priority", "priority")):
        lines = rows_of(browser.get(f"/children?show=waiting&sort={sort}", headers=HTML).text)
        part = page.partition(f"{heading}</h2>")[2].partition("</section>")[0]
        assert re.findall(r'href="/children/C\w+">([^<]+)</a>', part) == [line["who"] for line in lines[:TOP]]
        if sort == "priority":
            assert re.findall(r"<b>([\d,]+) points", part) == [line["Priority"] for line in lines[:TOP]]


def test_volunteers_stand_in_each_order_and_each_group_has_its_own(service: Service) -> None:
    spread(service)
    browser = service.as_(Role.COORDINATOR)
    told: dict[str, Callable[[dict[str, str]], object]] = {
        "reference": lambda line: line["who"],
        "committed": lambda line: as_day(line["Committed until"]),
        "lapse": lambda line: date.min if "Out of date" in line["Checks"] else as_day(line["Checks"]),
    }
    for sort, by in told.items():
        lines = rows_of(browser.get(f"/volunteers?sort={sort}", headers=HTML).text)
        keys = [by(line) for line in lines]
        assert len(set(keys)) > 1, sort
        assert keys == sorted(keys), sort  # type: ignore[type-var]
    groups = {show: rows_of(browser.get(f"/volunteers?show={show}", headers=HTML).text) for show in
              ("everybody", "free", "taken", "not ready", "checks")}  # fmt: skip
    names = {show: {line["who"] for line in lines} for show, lines in groups.items()}
    assert names["free"] | names["taken"] | names["not ready"] == names["everybody"]
    assert sum(len(names[show]) for show in ("free", "taken", "not ready")) == len(names["everybody"])
    assert {line["Status"] for line in groups["free"]} == {"Free"}
    assert names["taken"]
    assert not {"Free", "Not ready"} & {line["Status"] for line in groups["taken"]}
    lapsing = {line["who"] for line in groups["everybody"] if re.search("Lapses|Out of date", line["Checks"])}
    assert names["checks"] == lapsing
    reference = groups["free"][0]["who"]
    sent = {"reference": f" {reference.lower()} "}
    found = browser.post("/volunteers/find", data=sent, headers=HTML, follow_redirects=False)
    assert f'href="{found.headers["location"]}">{reference}<' in browser.get("/volunteers", headers=HTML).text


def test_a_check_that_lapses_stands_where_it_is_first() -> None:
    on = date(2026, 3, 1)
    days = (None, 1, 7, 8, 30, 31, 60, 61)
    lapses = [Lapse("V1", "dbs_current", "", None if one is None else on + timedelta(one)) for one in days]
    told = {title: [one.on and (one.on - on).days for one in some] for title, some in grouped(lapses, on).items()}
    assert told == {
        "Out of date": [None],
        "Within 7 days": [1, 7],
        "Within 30 days": [8, 30],
        "Within 60 days": [31, 60],
    }


@pytest.mark.parametrize(
    ("rank", "told"), [("fit", "by fit for this child alone"), ("plan", "by what is best for all who wait")]
)
def test_a_shortlist_says_by_which_order_it_stands_also_on_paper(service: Service, rank: str, told: str) -> None:
    child, _ = service.eligible_pair()
    page = service.as_(Role.COORDINATOR).get(f"/children/{child}/shortlist?rank={rank}", headers=HTML).text
    caption = re.search(r'<span class="govuk-caption-l">([^<]*)</span>', page)
    assert caption is not None
    assert caption[1].endswith(told)
    kept = page[: page.index(caption[0])].rpartition("<div class=")[2]
    assert "kith-screen" not in kept


def test_on_the_map_of_a_shortlist_north_is_up_and_who_lives_farther_stands_farther_out() -> None:
    def at(east: float, north: float) -> Place:
        return Place("NN1", 52.0 + north / 100, -1.0 + east / 100, "outcode")

    winds = {"north": (0, 9), "east": (9, 0), "south": (0, -9), "west": (-9, 0), "south-west": (-9, -5)}
    people = [Volunteer(f"V{rank}", home=at(*where)) for rank, where in enumerate(winds.values(), 1)]
    near = Volunteer("V6", home=at(0, 18))
    drawn = picture(Child("C1", placement=at(0, 0)), [*enumerate([*people, near], 1)])
    assert drawn is not None
    assert [spot.wind for spot in drawn.spots] == [*winds, "north"]
    for spot, (east, north) in zip(drawn.spots, winds.values(), strict=False):
        assert (spot.x > SIZE / 2 + 20, spot.x < SIZE / 2 - 20) == (east > 0, east < 0)
        assert (spot.y < SIZE / 2 - 20, spot.y > SIZE / 2 + 20) == (north > 0, north < 0)
    first, last = drawn.spots[0], drawn.spots[-1]
    assert SIZE / 2 - last.y == pytest.approx(2 * (SIZE / 2 - first.y), abs=0.2)
    for miles, radius in drawn.rings:  # nine hundredths of a degree are 6.2 miles
        assert radius / miles == pytest.approx((SIZE / 2 - first.y) / 6.218, rel=0.01)


def test_the_map_of_a_shortlist_has_those_of_the_table_beside_it(service: Service) -> None:
    child, _ = service.eligible_pair()
    page = service.as_(Role.COORDINATOR).get(f"/children/{child}/shortlist?rank=fit", headers=HTML).text
    page = page[page.index("kith-journeys") :]
    drawn = re.findall(r'class="kith-map__rank"[^>]*>(\d+)<', page)
    told = dict(re.findall(r'role="rowheader"[^>]*>(\d+)\. .*?data-label="Direction"[^>]*>([^<]*)<', page, re.S))
    assert sorted(drawn) == sorted(told)
    assert all(told.values())


def test_the_policy_has_every_rule_in_force_with_where_it_is_from(service: Service) -> None:
    with service.database.read(service.north) as session:
        _, policy = Repository(session, service.keys).policy()
    page = unescape(service.as_(Role.ANALYST).get("/policy", headers=HTML).text)
    assert [limit.id for limit in in_force(policy) if title_of(limit, policy) not in page] == []
    lines = re.findall(r'<p class="kith-rules__small">.*?<span class="kith-source">(.*?)</span>', page, re.S)
    assert len(lines) > len(in_force(policy))
    assert all(lines)
