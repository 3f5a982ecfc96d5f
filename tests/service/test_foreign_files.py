"""The sample of other systems goes all the way into a service that has people already, as the README's tour says."""

from __future__ import annotations

import re
from pathlib import Path

from browser import Site

from service.permissions import Role

FOREIGN = Path(__file__).parents[2] / "data" / "samples" / "foreign"
MEANS = {"AGREED": "yes", "0": "none", "1": "infrequent", "2": "regular", "4 Approved": "approved"}


def test_files_of_other_systems_are_mapped_and_taken_in(site: Site) -> None:
    page = site.page(Role.MANAGER, script=False)
    page.goto(f"{site.at}/imports")
    page.set_input_files("#files", [FOREIGN / "ssda903-children.csv", FOREIGN / "volunteers-form.csv"])
    page.get_by_role("button", name="Look at these files").click()
    for file in range(2):
        page.wait_for_url(re.compile(rf"columns\?file={file}"))
        for box in page.get_by_label("That is right").all():
            box.check()
        for word, meaning in MEANS.items():
            for choice in page.get_by_label(f"“{word}” means", exact=True).all():
                if not choice.input_value():
                    choice.select_option(meaning)
        for council in page.get_by_label("The responsible authority of everybody").all():
            council.fill("West Northamptonshire")
        page.get_by_role("button", name="Read the file this way").click()
    assert page.inner_text("h1") == "What would change"
    page.get_by_role("button", name="Go on to confirm").click()
    for box in page.locator("input[name=weaken]").all():
        box.check()
    page.get_by_label("New referrals").check()
    page.get_by_role("button", name="Take these files in").click()
    assert "All 7 rows that were given were taken in." in page.inner_text("main")
    rows = [" ".join(row.split()) for row in page.locator("main tbody tr").all_inner_texts()]
    assert rows == ["Children 4 4 0 0 0", "Volunteers 3 3 0 0 0"]
    page.goto(f"{site.at}/children")
    page.fill("#reference", "CLA-7001")
    page.get_by_role("button", name="Find").click()
    assert "CLA-7001" in page.inner_text("h1")
    page.context.close()
