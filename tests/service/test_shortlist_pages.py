"""A shortlist on its page: who else could visit, what is still being worked out, and which blank cell to fill in."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from io import BytesIO

import pytest
from browser import Site
from conftest import Service
from fastapi.testclient import TestClient
from python_calamine import CalamineWorkbook
from service_rows import besides
from sqlalchemy import select

from matcher import shortlist, vocabulary
from matcher.instance import today
from matcher.records import Agreement, ExceptionKind
from service import proposals
from service.database.tables import Child, Declined, Family, Match, Volunteer
from service.exceptions import approve
from service.matching import Held
from service.pages import reckoning, shortlists
from service.permissions import Role
from service.proposals import TakenError
from service.repository import Repository

HTML = {"Accept": "text/html"}
CANARY = "tells-of-another"


def test_everybody_who_could_visit_can_be_shown(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reckoning, "MOST", 2)
    child, _ = service.eligible_pair()
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        could, references = shortlist(rows.instance(today()), child, top=99, rank_by="fit"), rows.references()
    browser, path = service.as_(Role.COORDINATOR), f"/children/{child}/shortlist?rank=fit"
    page = browser.get(path, headers=HTML).text
    assert f"are the first of {len(could)} volunteers who pass every rule" in page
    last = could[-1].volunteer
    assert f"/propose/{last}?rank=fit" not in page
    whole = browser.get(f"{path}&everybody=yes", headers=HTML).text
    assert all(references[one.volunteer] in whole for one in could)
    assert f"/propose/{last}?rank=fit" in whole
    # So many that they come in pages: each beside the first ones once, in their order, and by links.
    monkeypatch.setattr(shortlists, "LONG", 2)
    pages, at = [], f"{path}&everybody=yes"
    while at:
        page = browser.get(at, headers=HTML).text
        found = re.findall(rf"/children/{child}/propose/(\w+)\?rank=fit", page)
        assert found[:2] == [one.volunteer for one in could[:2]]
        pages.append(found[2:])
        following = re.search(r'href="([^"]+)" rel="next"', page)
        at = f"/children/{child}/shortlist{unescape(following[1])}" if following else ""
    assert [one.volunteer for one in could[2:]] == [one for page in pages for one in page]
    assert len(pages) == -(-(len(could) - 2) // 2) > 1


def test_whom_a_no_ruled_out_is_not_said_to_be_one_thing_away(service: Service) -> None:
    """A no does not change by asking: nobody is sent back to a child who said it."""
    child, volunteer = service.eligible_pair()
    with service.database.write(service.north) as session:
        session.add(Declined(child_id=child, volunteer_id=volunteer, said_by="child"))
        reference = Repository(session, service.keys).references()[volunteer]
    page = service.as_(Role.COORDINATOR).get(f"/children/{child}/shortlist", headers=HTML).text
    near = page.partition("One thing away</h3>")[2].partition("</section>")[0]
    assert near
    assert reference not in near


def test_of_a_child_who_was_not_asked_yet_the_shortlist_leads_to_what_they_say(service: Service) -> None:
    """Asking them is what could change: it is not said that nothing could. To a child who said no nobody is sent."""
    child, _ = service.eligible_pair()
    with service.database.read(service.north) as session:
        instance = Repository(session, service.keys).instance(today())
        could = len(shortlist(instance, child, top=len(instance.volunteers), rank_by="fit"))
    browser, page = service.as_(Role.COORDINATOR), {}
    for said in (Agreement.NOT_ASKED, Agreement.NO):
        with service.database.write(service.north) as session:
            rows = Repository(session, service.keys)
            row = rows.child(child)
            rows.write_child(row, replace(rows.child_record(row, family_known=True), agrees=said))
        page[said] = browser.get(f"/children/{child}/shortlist", headers=HTML).text
    link = f'<a class="govuk-link" href="/children/{child}/change/wishes#agrees">Record what they say</a>'
    assert f"{link}: with a yes, {could} volunteers could be asked." in page[Agreement.NOT_ASKED]
    near = page[Agreement.NOT_ASKED].partition("One thing away</h3>")[2].partition("</section>")[0]
    assert f"The child’s own word alone keeps {could} volunteers away: they have not been asked yet." in near
    assert "Record what they say" not in page[Agreement.NO]
    assert "have not been asked" not in page[Agreement.NO]
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        row = rows.child(child)
        record = rows.child_record(row, family_known=True)
        rows.write_child(row, replace(record, agrees=Agreement.NOT_ASKED, safeguarding_issue=True))
    held = browser.get(f"/children/{child}/shortlist", headers=HTML).text
    assert f"{link}." in held
    assert "The child has not been asked yet, and something else stands in the way as well" in held
    for told in (*page.values(), held):
        assert "Nobody passes every rule but one" not in told
        assert "core rule" not in told


def test_the_workbook_of_a_shortlist_leaves_nobody_out(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who could visit and is not on the sheet is counted beside those whom a rule keeps away; the policy and the day
    stand in it."""
    monkeypatch.setattr(reckoning, "MOST", 2)
    child, _ = service.eligible_pair()
    browser, at = service.as_(Role.COORDINATOR), f"/children/{child}/shortlist"
    with service.database.read(service.north) as session:
        everybody = len(Repository(session, service.keys).instance(today()).volunteers)
    sheets = {}
    for asked in ("", "&everybody=yes"):
        assert f"shortlist.xlsx?rank=fit{asked.replace('&', '&amp;')}" in browser.get(f"{at}?rank=fit{asked}").text
        book = CalamineWorkbook.from_filelike(BytesIO(browser.get(f"{at}.xlsx?rank=fit{asked}").content))
        names = "Shortlist", "Not on it", "About it"
        sheets[asked] = [book.get_sheet_by_name(name).to_python()[1:] for name in names]
    page = browser.get(f"{at}?rank=fit").text
    for volunteer, _, _, _, distance, *_, why in (row[2:] for row in sheets[""][0]):
        card = html.unescape(page.partition(f">{volunteer}</a>")[2].partition("</li>\n    ")[0])
        assert distance in card
        assert re.findall(r"\d+ of \d+(?=:)", why) == re.findall(r"<span>(\d+ of \d+)</span>", card)
    for listed, others, about in sheets.values():
        assert len(listed) + sum(int(row[0]) for row in others) == everybody
        assert {row[0] for row in about} == {"Child", "As of", "Policy", "Order"}
    assert len(sheets[""][0]) == 2 < len(sheets["&everybody=yes"][0])


def test_more_than_three_side_by_side_are_named_as_left_out_and_ticks_are_kept(service: Service) -> None:
    child, _ = service.eligible_pair()
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        found = [one.volunteer for one in shortlist(rows.instance(today()), child, top=4, rank_by="fit")]
        references = rows.references()
    assert len(found) == 4
    browser, at = service.as_(Role.COORDINATOR), f"/children/{child}"
    page = browser.get(f"{at}/compare?rank=fit&" + "&".join(f"with={one}" for one in found)).text
    assert f"{references[found[3]]} is left out" in page
    back = unescape(re.search(r'href="([^"]*)" class="govuk-back-link"', page)[1])  # type: ignore[index]
    kept = re.findall(r'name="with" value="(\w+)" checked', browser.get(back).text)
    assert kept == found


def test_what_is_still_being_worked_out_is_said_and_looked_for_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    child, _ = service.eligible_pair()
    browser, path = service.as_(Role.COORDINATOR), f"/children/{child}/shortlist"
    monkeypatch.setattr(Held, "worked_out", lambda *_: None)
    page = browser.get(path, headers=HTML).text
    assert "takes some seconds" in page
    assert "data-again" in page
    assert re.search(r'rank=fit" aria-current="true"', page)
    assert not re.search(r'rank=plan" aria-current="true"', page)
    assert not re.search(r'class="govuk-button "[^>]*/propose/', page)  # none stands out as the first yet
    monkeypatch.undo()
    page = browser.get(path, headers=HTML).text
    assert "data-again" not in page
    assert re.search(r'rank=plan" aria-current="true"', page)


def test_brothers_and_sisters_who_are_not_known_are_filled_in_from_the_shortlist(service: Service) -> None:
    child, _ = service.eligible_pair()
    with service.database.write(service.north) as session:
        row = session.get_one(Child, child)
        row.family_id, before = _new_family(session), row.family_id
        other = session.scalars(select(Child).where(Child.family_id != before, Child.id != child)).first()
        assert other is not None
        sister = other.reference
    browser, path = service.as_(Role.COORDINATOR), f"/children/{child}"
    told = browser.get(path, headers=HTML).text
    assert "Not ready" in told
    assert f'href="{path}/siblings#siblings"' in told.partition("matching needs it")[2].partition("</div>")[0]
    assert 'id="siblings"' in browser.get(f"{path}/siblings", headers=HTML).text
    page = browser.get(f"{path}/shortlist", headers=HTML).text
    assert "No volunteer could visit now" in page
    assert re.search(r"Fill in “Brothers and sisters”</a>: then \d+ volunteers could perhaps be asked", page)
    assert f"{path}/siblings" in page
    for typed, told in (("", "or none if there are none"), ("nobody-here", "There is no child")):
        refused = browser.post(f"{path}/siblings", data={"siblings": typed}, headers=HTML)
        assert refused.status_code == 422
        assert told in refused.text
    assert browser.post(f"{path}/siblings", data={"siblings": "none"}, headers=HTML).url.path == path
    assert "No volunteer could visit now" not in browser.get(f"{path}/shortlist", headers=HTML).text
    saved = browser.post(f"{path}/siblings", data={"siblings": sister}, headers=HTML).text
    assert re.search(rf"Siblings: <a[^>]*>{sister}", saved)
    refused = browser.post(f"{path}/siblings", data={"siblings": "none"}, headers=HTML)
    assert "for a manager" in refused.text


def test_a_child_whom_nobody_could_visit_is_led_to_why_and_not_to_a_list_of_nobody(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    child, _ = service.eligible_pair()
    browser, path = service.as_(Role.MANAGER), f"/children/{child}"
    see, why = "See who could visit", "See why nobody could visit, and what would change that"

    def changed(**facts: str) -> str:
        etag = {"If-Match": browser.get(f"/api/v1{path}").headers["ETag"]}
        assert browser.patch(f"/api/v1{path}", json={"facts": facts, **besides()}, headers=etag).status_code == 200
        return browser.get(path, headers=HTML).text

    page = browser.get(path, headers=HTML).text
    assert see in page
    assert why not in page
    for facts in ({"safeguarding_issue": "yes"}, {"safeguarding_issue": "no", "agrees": "not asked"}):
        page = changed(**facts)
        assert see not in page
        assert why in page.partition("What stands in the way of any match")[2]
    assert see in changed(agrees="yes")
    with service.database.write(service.north) as session:
        for one in session.scalars(select(Volunteer)):
            session.add(Declined(child_id=child, volunteer_id=one.id, said_by="child"))
    page = browser.get(path, headers=HTML).text
    assert see not in page
    assert re.search(
        rf"No volunteer could visit now</h2>\s*<p[^>]*>No volunteer is eligible: .*?{why}", page, re.DOTALL
    )


def _new_family(session):  # type: ignore[no-untyped-def]
    family = Family(known=False, references=[])
    session.add(family)
    session.flush()
    return family.id


def to_know_of(browser: TestClient, child: str) -> dict[str, str]:
    """What the workbook of a child's shortlist says is to be known of each volunteer, by their reference."""
    content = browser.get(f"/children/{child}/shortlist.xlsx?rank=fit").content
    heads, *lines = CalamineWorkbook.from_filelike(BytesIO(content)).get_sheet_by_name("Shortlist").to_python()
    who, told = heads.index("Volunteer"), heads.index("To know before you propose")
    return {str(line[who]): str(line[told]) for line in lines}


def test_what_to_know_of_a_pair_is_told_wherever_it_is_chosen(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the volunteer may visit more than one, by exception, and that the child is about to move."""
    user = service.users["north", Role.MANAGER]
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        for one in rows.instance(today()).volunteers:
            approve(rows, ExceptionKind.SECOND_CHILD, one.id, None, 2, user_id=user, reason="for a test")
        found = [
            (child, candidates)
            for child in rows.instance(today()).waiting
            if len(candidates := shortlist(rows.instance(today()), child.id, top=4, rank_by="fit")) > 2
            and "capacity" in candidates[1].notes
        ]
        child, (first, second, *_) = found[0]
        rows.write_child(rows.child(child.id), replace(child, placement_move_pending=True))
        reference = rows.references()[second.volunteer]
        told = second.notes["capacity"].replace(second.volunteer, reference)
    assert "may visit up to 2 children" in told
    browser, at = service.as_(Role.COORDINATOR), f"/children/{child.id}"
    propose = f"{at}/propose/{second.volunteer}?rank=fit"
    for path in (f"{at}/shortlist?rank=fit", propose,
                 f"{at}/compare?rank=fit&with={first.volunteer}&with={second.volunteer}"):  # fmt: skip
        page = browser.get(path, headers=HTML).text
        assert html.escape(told, quote=False) in page, path
        assert "A move of placement is pending" in page, path
    in_book = to_know_of(browser, child.id)
    assert told in in_book[reference]
    assert all(words.startswith("A move of placement is pending") for words in in_book.values())
    monkeypatch.setattr(reckoning, "MOST", 1)
    page = browser.get(propose, headers=HTML).text
    assert "is not among the first on the shortlist" in page
    assert html.escape(told, quote=False) in page


def test_nobody_who_is_chosen_for_a_child_tells_of_another(service: Service) -> None:
    """What a manager wrote of somebody's other match stays on their page. A sibling alone is named: it is the child's
    own circumstance that they are matched at the same time."""
    user = service.users["north", Role.MANAGER]
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        for one in rows.instance(today()).volunteers:
            why = f"The match now is about to end: {CANARY}."
            approve(rows, ExceptionKind.SECOND_CHILD, one.id, None, 2, user_id=user, reason=why)
            rows.write_volunteer(rows.volunteer(one.id), replace(one, commitment_until=today() + timedelta(days=100)))
            approve(rows, ExceptionKind.SHORTER_COMMITMENT, one.id, None, 3, user_id=user, reason=why)
        instance, references = rows.instance(today()), rows.references()
    browser = service.as_(Role.COORDINATOR)
    seen = 0
    for child in instance.waiting:
        candidates = shortlist(instance, child.id, top=3, rank_by="fit")
        if len(candidates) < 2 or not any("capacity" in one.notes and "commitment" in one.notes for one in candidates):
            continue
        seen += 1
        at, ticked = f"/children/{child.id}", "".join(f"&with={one.volunteer}" for one in candidates)
        told = [browser.get(f"{at}/{path}", headers=HTML).text for path in (
            "shortlist?rank=fit&everybody=yes", "shortlist?rank=plan", f"compare?rank=fit{ticked}",
            *(f"propose/{one.volunteer}?rank=fit" for one in candidates),
        )]  # fmt: skip
        told.append(" ".join(to_know_of(browser, child.id).values()))
        own = {child.id, *instance.siblings_at_one_place.get(child.id, ())}
        others = {references[one] for one in references if one[0] == "C" and one not in own}
        for page in told:
            assert "may visit up to 2 children; " in page
            assert CANARY not in page
            assert not others & set(re.findall(r"[\w-]+", page))
    assert seen
    volunteer = candidates[0].volunteer if candidates else instance.volunteers[0].id
    assert CANARY in browser.get(f"/volunteers/{volunteer}", headers=HTML).text


def test_comparing_on_a_phone_puts_one_fact_under_the_other(site: Site) -> None:
    page, (child, (first, second, *_)) = site.page(width=390), site.choice
    page.goto(f"{site.at}/children/{child}/compare?rank=fit&with={first}&with={second}")
    table = page.locator(".kith-compare")
    assert table.evaluate("one => one.getBoundingClientRect().right") <= 390
    row = table.get_by_role("row").filter(has=page.get_by_role("rowheader", name="Interests", exact=True))
    tops = [one.evaluate("one => one.getBoundingClientRect().top") for one in row.locator("th, td").all()]
    assert tops == sorted(set(tops))
    whose = row.locator("td").evaluate_all("all => all.map(one => getComputedStyle(one, '::before').content)")
    assert [one[1:3] for one in whose] == ["Ch", "1.", "2."]


def test_comparing_shows_who_the_child_is_beside_what_they_wish(service: Service) -> None:
    child, _ = service.eligible_pair()
    with service.database.read(service.north) as session:
        instance = Repository(session, service.keys).instance(today())
    two = [one.volunteer for one in shortlist(instance, child, top=2, rank_by="fit")]
    about = instance.child(child)
    page = service.as_(Role.COORDINATOR).get(f"/children/{child}/compare?rank=fit&with={two[0]}&with={two[1]}").text
    row = re.search(r">Ethnicity</th>\s*<td[^>]*>(.*?)</td>", page, re.DOTALL)
    assert row is not None
    assert (vocabulary.ethnicity_label(about.ethnicity) if about.ethnicity else "Not recorded") in row[1]


def test_a_match_is_told_since_its_visits_began_and_its_letter_bears_that_day(service: Service) -> None:
    with service.database.read(service.north) as session:
        match = session.scalars(select(Match).where(Match.state == "active", Match.started_on.is_not(None))).first()
        assert match is not None
    browser, began = service.as_(Role.COORDINATOR), match.started_on
    assert began is not None
    page = browser.get(f"/volunteers/{match.volunteer_id}", headers=HTML).text
    assert f"since {began.day} {began:%b %Y}" in page
    letters = browser.get(f"/proposals/{match.id}/letters/appointment", headers=HTML).text
    assert letters.count(f"<br>{began.day} {began:%B %Y}</p>") == 2


def test_the_lists_say_in_a_few_words_why_somebody_is_not_ready(service: Service) -> None:
    child, volunteer = service.eligible_pair()
    browser, mine = service.as_(Role.MANAGER), "A coordinator of one child"

    def told(which: str, reference: str) -> str:
        page = browser.get(f"/{which}", params={"show": "not ready", "coordinator": mine}, headers=HTML).text
        row = next(row for row in page.split("<tr") if f">{reference}</a>" in row)
        return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", row))

    said = {"children": besides(), "volunteers": {}}

    def changed(which: str, id: str, **facts: str) -> None:
        etag = {"If-Match": browser.get(f"/api/v1/{which}/{id}").headers["ETag"]}
        assert (
            browser.patch(f"/api/v1/{which}/{id}", json={"facts": facts, **said[which]}, headers=etag).status_code
            == 200
        )

    with service.database.read(service.north) as session:
        asked, helper = session.get_one(Child, child).reference, session.get_one(Volunteer, volunteer).reference
    changed("children", child, coordinator=mine, agrees="not asked")
    assert "Not ready not asked yet" in told("children", asked)
    changed("children", child, agrees="yes", safeguarding_issue="yes")
    assert "Not ready held for a safeguarding issue" in told("children", asked)
    changed("children", child, safeguarding_issue="no", date_of_birth="", referred_on="")
    assert re.search("Not ready not recorded: .* and 1 more", told("children", asked))

    changed("volunteers", volunteer, dbs_checked_on="")
    assert "Not ready not recorded: DBS checked on" in told("volunteers", helper)


def test_what_the_policy_does_not_ask_of_a_volunteer_is_told_before_somebody_proposes(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside that all checks for which it asks are in date, which is true as well."""
    monkeypatch.setattr(reckoning, "MOST", 99)
    child, volunteer = service.eligible_pair()
    browser = service.as_(Role.COORDINATOR)

    def told(right: bool | None) -> list[bool]:
        with service.database.write(service.north) as session:
            rows = Repository(session, service.keys)
            row, reference = rows.volunteer(volunteer), rows.references()[volunteer]
            rows.write_volunteer(row, replace(rows.volunteer_record(row), right_to_work=right))
            instance = rows.instance(today())
        other = next(
            one.volunteer
            for one in shortlist(instance, child, top=99, rank_by="fit")
            if one.volunteer != volunteer and instance.volunteer(one.volunteer).right_to_work is not False
        )
        says = f"{reference} has shown no proof of the right to work. This policy does not ask for it."
        pages = (
            "shortlist?rank=fit",
            f"compare?rank=fit&with={volunteer}&with={other}",
            f"propose/{volunteer}?rank=fit",
        )
        found = [browser.get(f"/children/{child}/{page}", headers=HTML).text for page in pages]
        words = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)) for page in found]
        return [says in one for one in (*words, to_know_of(browser, child)[reference])]

    assert told(False) == [True] * 4
    for right in (None, True):
        assert told(right) == [False] * 4


def test_times_that_never_meet_are_told_before_somebody_proposes(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reckoning, "MOST", 99)
    child, volunteer = service.eligible_pair()
    browser, told = service.as_(Role.COORDINATOR), "No time that suits both is recorded.</strong>"

    def changed(path: str, times: str) -> None:
        etag = {"If-Match": browser.get(f"/api/v1/{path}").headers["ETag"]}
        answer = browser.patch(f"/api/v1/{path}", json={"facts": {"free_times": times}}, headers=etag)
        assert answer.status_code == 200, answer.text

    changed(f"children/{child}", "weekday daytime")
    changed(f"volunteers/{volunteer}", "weekend; weekday daytime")
    asked = f"/children/{child}/propose/{volunteer}?rank=fit"
    assert told not in browser.get(asked, headers=HTML).text
    changed(f"volunteers/{volunteer}", "weekend")
    assert told in browser.get(asked, headers=HTML).text
    cards = browser.get(f"/children/{child}/shortlist?rank=fit", headers=HTML).text.split('<li class="kith-card')
    card = next(one for one in cards if f"/propose/{volunteer}?" in one)
    other = next(found[1] for one in cards if (found := re.search(r"/propose/(\w+)", one)) and found[1] != volunteer)
    compared = browser.get(f"/children/{child}/compare?rank=fit&with={volunteer}&with={other}", headers=HTML).text
    to_know = re.search(r'<ul class="[^"]*kith-to-know">.*?</ul>', card, re.DOTALL)
    assert to_know is not None
    assert told in to_know[0]
    assert to_know[0] in compared
    with service.database.read(service.north) as session:
        reference = Repository(session, service.keys).references()[volunteer]
    said = unescape(re.sub(r"<[^>]+>", " ", to_know[0]))
    assert said.split() == to_know_of(browser, child)[reference].split()
    assert to_know[0] in browser.get(asked, headers=HTML).text
    monkeypatch.setattr(reckoning, "MOST", 1)  # as they may be of somebody beyond the first
    assert to_know[0] in browser.get(asked, headers=HTML).text
    changed(f"volunteers/{volunteer}", "")  # nobody has asked them
    assert told not in browser.get(asked, headers=HTML).text


def test_who_proposes_to_a_child_who_has_a_proposal_by_now_is_led_to_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    child, volunteer = service.eligible_pair()
    browser, path = service.as_(Role.COORDINATOR), f"/children/{child}/propose/{volunteer}"
    sent = {"rank": "fit", "reason": "first on the shortlist"}
    unchosen = browser.post(path, data={"rank": "fit"}, headers=HTML).text
    assert "Nothing was proposed" in unchosen
    assert "by now" not in unchosen
    first = browser.post(path, data=sent, headers=HTML)
    assert first.url.path.startswith("/proposals/")
    second = browser.post(path, data=sent, headers=HTML)  # from another tab
    assert second.status_code == 422
    assert f'href="{first.url.path}">Open it</a>' in second.text

    def quicker(*_: object, **__: object) -> None:
        raise TakenError("Somebody was quicker.")

    monkeypatch.setattr(proposals, "propose", quicker)
    raced = browser.post(path, data={**sent, "reason": "other"}, headers=HTML).text
    assert f'href="{first.url.path}">Open it</a>' in raced


def test_whom_nobody_can_be_proposed_to_for_want_of_facts_is_asked_for_the_facts(service: Service) -> None:
    _, volunteer = service.eligible_pair()
    browser, path = service.as_(Role.COORDINATOR), f"/volunteers/{volunteer}"
    assert "Not recorded, and" not in browser.get(f"{path}/shortlist", headers=HTML).text
    etag = {"If-Match": browser.get(f"/api/v1{path}").headers["ETag"]}
    blank = {"facts": {"commitment_until": "", "travel_limit_miles": "", "areas": "", "home": ""}}
    assert browser.patch(f"/api/v1{path}", json=blank, headers=etag).status_code == 200
    page = browser.get(f"{path}/shortlist", headers=HTML).text
    assert "No child who waits could be visited" in page
    assert page.index(f'href="{path}/change/offer#commitment_until"') < page.index("No child who waits")
    assert "alone stands in the way" not in page
