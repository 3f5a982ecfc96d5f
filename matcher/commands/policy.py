"""kith policy: policies shown, compared and checked. Thin, as `cli.py` is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from matcher.commands.terminal import (
    AsOf,
    Commands,
    Folder,
    Json,
    Mapping,
    date_of,
    plain_table,
    print_documents,
    print_json,
)
from matcher.errors import PolicyError

policy_app = typer.Typer(
    cls=Commands,
    help="Policies: the rules, limits, weights and priorities of one authority, each with its citation.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Named = Annotated[str, typer.Argument(help="A preset's name, or a TOML file.")]

HEADINGS = {
    "rules": "Who may visit whom",
    "constraints": "What holds for all the matches together",
    "scores": "How well a pair fits",
    "priorities": "What a child brings, whoever visits",
}


@policy_app.command()
def show(policy: Named, as_json: Json = False) -> None:
    """A policy in words: what its plans are for, every rule, limit and weight, and where each is from."""
    from matcher.catalogue import load_policy
    from matcher.policy_words import told
    from matcher.words import spoken

    content = told(load_policy(policy))
    if as_json:
        print_json(content)
        return
    console = Console(soft_wrap=True)
    name, entries = content["policy"], content["entries"]
    console.print(Text(f"{content['title']} (policy {name} {content['version']}, {content['hash']})", style="bold"))
    console.print(content["objective"]["in_words"])
    for section, heading in HEADINGS.items():
        console.print(Text(f"\n{heading}", style="bold"))
        for entry in (entry for entry in entries if entry["section"] == section):
            mark = " (core)" if entry["core"] else "" if entry["in_force"] else " (not asked)"
            console.print(Text.assemble((f"  {entry['id']}{mark}", "bold"), f"  {entry['title']}."))
            limits = [f"{spoken(key)}: {limit['shown']}" for key, limit in entry["limits"].items()]
            inherited = [] if entry["from"] == name else [f"as in {entry['from']}"]
            console.print(Text(f"      {'; '.join([*limits, *inherited, entry['source']])}", style="dim"))
    console.print("\nCore rules are statutory or safeguarding: no policy can switch them off.")
    print_documents(console)


@policy_app.command()
def diff(one: Named, other: Named, as_json: Json = False) -> None:
    """How two policies differ, a sentence each, with the sources of both."""
    from matcher.catalogue import load_policy
    from matcher.policy_words import differences
    from matcher.words import spoken

    policies = load_policy(one), load_policy(other)
    found = differences(*policies)
    if as_json:
        stamps = [{"policy": p.name, "version": p.version, "hash": p.content_hash} for p in policies]
        print_json({"one": stamps[0], "other": stamps[1], "differences": [line.to_dict() for line in found]})
        return
    console = Console(soft_wrap=True)
    for line in found:
        console.print(Text.assemble((spoken(line.id), "bold"), f"  {line.sentence}"))
        for policy, side in zip(policies, (line.one, line.other), strict=True):
            if side.get("source"):
                console.print(Text(f"      {policy.title}: {side['source']}", style="dim"))
    if found:
        print_documents(console)
    else:
        console.print(f"{policies[0].title} and {policies[1].title} decide alike.")


@policy_app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A policy's TOML file.")],
    as_json: Json = False,
) -> None:
    """Everything that is wrong with a policy's file, each with its line. Exit 1 if anything is."""
    from matcher.catalogue import load_policy

    try:
        policy = load_policy(file)
    except PolicyError as error:
        problems = error.problems
        if as_json:
            print_json({"problems": [vars(problem) for problem in problems] or [{"wrong": str(error)}]})
        else:
            lines = [f"{problem}." for problem in problems] or [str(error)]
            Console(soft_wrap=True).print(Text("\n".join(lines)))
        raise typer.Exit(1) from None
    if as_json:
        print_json({"problems": [], "policy": policy.name, "version": policy.version, "hash": policy.content_hash})
    else:
        Console(soft_wrap=True).print(
            Text(f"{file}: nothing to mend. Policy {policy.name} {policy.version}, content {policy.content_hash}.")
        )


@policy_app.command()
def compare(
    folder: Folder,
    policies: Annotated[
        list[str] | None, typer.Option("--policy", help="A preset's name or a TOML file, once a policy. Default: all.")
    ] = None,
    as_of: AsOf = None,
    mapping: Mapping = None,
    as_json: Json = False,
) -> None:
    """Plans the same service under several policies: who is matched, at what cost, and which rule excludes how many."""
    from matcher.analysis.comparison import compared, outcome
    from matcher.catalogue import load_policy
    from matcher.policies.files import preset_names
    from matcher.readers import read_folder

    when = date_of(as_of)
    chosen = [load_policy(name) for name in policies or preset_names()]
    reading = read_folder(folder, when, mapping)
    outcomes = [outcome(reading.instance(policy, when)) for policy in chosen]
    if as_json:
        print_json({"as_of": when.isoformat(), "outcomes": [one.to_dict() for one in outcomes]})
        return
    headings, *rows = compared(outcomes)
    shown = plain_table(*headings)
    for row in rows:
        shown.add_row(*row)
    Console().print(shown)
