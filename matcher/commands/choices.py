"""kith options, kith frontier: choices that a person makes between plans and for several children at once."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from matcher.commands.terminal import AsOf, Folder, Json, Mapping, PolicyName, instance_of, plain_table, print_json


def options(
    folder: Folder,
    children: Annotated[list[str], typer.Argument(help="References of children who wait.")],
    each: Annotated[int, typer.Option("--each", min=1, max=10, help="Volunteers for each to choose from.")] = 3,
    policy: PolicyName = "national",
    as_of: AsOf = None,
    mapping: Mapping = None,
    as_json: Json = False,
) -> None:
    """A choice for several children at once: whatever they choose, it can all come true."""
    from matcher.options import shortlists_together

    instance = instance_of(folder, policy, as_of, mapping)
    found = shortlists_together(instance, children, options=each)
    if as_json:
        print_json({
            "policy": instance.policy.stamp,
            "data_hash": instance.data_hash,
            "options": {child: [one.to_dict() for one in listed] for child, listed in found.items()},
        })  # fmt: skip
        return
    console = Console()
    console.print(Text(f"Policy {instance.policy.stamp}, as of {instance.as_of}."))
    console.print()
    table = plain_table("Child", "Volunteer", "Fit", "Distance")
    for child, listed in found.items():
        if not listed:
            table.add_row(child, "–", "", "Nobody is left for this child beside the others.")
        for place, one in enumerate(listed):
            table.add_row(child if place == 0 else "", one.volunteer, str(one.fit), one.distance)
    console.print(table)


def frontier(
    folder: Folder,
    steps: Annotated[int, typer.Option("--steps", min=1, max=200, help="About how many plans along each.")] = 20,
    policy: PolicyName = "national",
    as_of: AsOf = None,
    mapping: Mapping = None,
    as_json: Json = False,
) -> None:
    """The plans between most children matched and best fit, and what more or less money would do."""
    from matcher.frontier import frontier as trade_offs
    from matcher.words import pounds

    instance = instance_of(folder, policy, as_of, mapping)
    found = trade_offs(instance, steps=steps)
    if as_json:
        print_json({"policy": instance.policy.stamp, "data_hash": instance.data_hash, **found.to_dict()})
        return
    console = Console()
    console.print(Text("Between most children and best fit", style="bold"))
    table = plain_table("Children", "Mean fit", "Without regular contact with parents", "Out of county, a year", "")
    for point in found.along("fit"):
        mine = (
            "the policy's plan"
            if point.of_policy
            else f"a match must be worth {point.asked} points" * bool(point.asked)
        )
        table.add_row(str(point.children), f"{point.mean_fit:.0f}", str(point.without_contact),
                      pounds(point.spent_pence), mine)  # fmt: skip
    console.print(table)
    console.print()
    console.print(Text("What money does", style="bold"))
    table = plain_table("Budget, a year", "Spent", "Children", "Points", "Mean fit", "")
    for point in found.along("budget"):
        table.add_row(pounds(point.asked), pounds(point.spent_pence), str(point.children), f"{point.points:,}",
                      f"{point.mean_fit:.0f}", "as it is" if point.of_policy else "")  # fmt: skip
    console.print(table)
