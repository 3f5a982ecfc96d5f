"""kith: the command line. Thin: it reads arguments, calls the library, and prints.

Errors are one message on standard error and an exit code: 1 the input has problems or nothing was found, 2 the command
was called wrongly, 3 no plan was found, 70 a fault in Kith itself (such as a plan that failed the audit).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from matcher.commands.choices import frontier, options
from matcher.commands.policy import policy_app
from matcher.commands.sweep import sweep
from matcher.commands.terminal import (
    AsOf,
    Commands,
    Folder,
    Json,
    Mapping,
    PolicyName,
    any_terminal,
    date_of,
    instance_of,
    plain_table,
    print_documents,
    print_json,
)
from matcher.errors import AuditError, InputError, KithError, NoPlanError, PolicyError

if TYPE_CHECKING:
    from matcher.instance import Instance
    from matcher.shortlist import Candidate

# Commands import what they need when they run: `kith --help` should not wait for numpy.

app = typer.Typer(
    name="kith",
    cls=Commands,
    help="Matches children in care who wait for an Independent Visitor with approved volunteers. "
    "Kith proposes and explains; a person decides every match.",
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(policy_app, name="policy")
app.command()(options)
app.command()(frontier)
app.command()(sweep)


class RankBy(StrEnum):
    """How a shortlist is ranked."""

    PLAN = "plan"
    FIT = "fit"


RANKED = {RankBy.PLAN: "ranked by what each choice costs the whole plan", RankBy.FIT: "ranked by fit alone"}

STEPS = 6
"""How many steps `pipeline.match` tells of."""


@app.callback()
def kith(
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version and stop.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        print(f"kith {installed('kith-matcher')}")  # noqa: T201
        raise typer.Exit


def main() -> None:
    """Entry point of the command `kith`."""
    any_terminal()
    try:
        _add_commands()
        app()
    except KithError as error:
        _complain(error)
        raise SystemExit(_exit_code(error)) from None
    except KeyboardInterrupt:
        print("Stopped. Nothing was written.", file=sys.stderr)  # noqa: T201
        raise SystemExit(130) from None
    except OSError as error:
        name = f"“{error.filename}”: " if error.filename else ""
        print(f"kith: {name}{error.strerror or error}. Check the path and that you may use it.", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None
    except Exception as error:
        if os.environ.get("KITH_DEBUG"):
            raise
        kind = type(error).__name__
        print(  # noqa: T201
            f"kith: a fault in Kith itself ({kind}: {error}). Your files are as they were. Please report it; "
            "KITH_DEBUG=1 shows where it happened.",
            file=sys.stderr,
        )
        raise SystemExit(70) from None


def _add_commands() -> None:
    """Puts the commands of add-ons, such as the service, beside these. They are known by entry point alone."""
    for entry in entry_points(group="kith.commands"):
        addon: typer.Typer = entry.load()
        app.registered_commands += addon.registered_commands
        app.registered_groups += addon.registered_groups


@app.command()
def match(
    folder: Folder,
    policy: PolicyName = "national",
    as_of: AsOf = None,
    out: Annotated[Path, typer.Option("--out", help="Where the files go; made if need be.")] = Path("plan"),
    top: Annotated[int, typer.Option("--top", min=1, help="Volunteers on each shortlist.")] = 5,
    mapping: Mapping = None,
    previous: Annotated[
        Path | None,
        typer.Option("--previous", help="Folder of the plan before, or its plan.json: as little as can be is changed."),
    ] = None,
    time_limit: Annotated[
        float | None,
        typer.Option(
            "--time-limit",
            min=0.001,
            help="Seconds for the search; the best plan found so far is then given with its bound.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Plan: who could visit whom. Writes plan.xlsx, report.html, CSV of plan, shortlists and unmatched, and plan.json.

    With --previous also changes.csv: what is different from the plan before, and why.
    """
    from matcher.pipeline import plan
    from matcher.plan import KINDS
    from matcher.planning.search import consider
    from matcher.shortlist import reach, shortlists
    from matcher.writing.export import read_plan, summary, write_files

    with _progress(STEPS) as tell:
        tell("Reading the files")
        instance = instance_of(folder, policy, as_of, mapping)
        before = read_plan(previous) if previous else None
        scored = consider(instance, tell=tell)
        best = plan(scored, previous=before, time_limit=time_limit, tell=tell)
        diff = best.diff(before) if before else None
        files = write_files(out, instance, best, shortlists(scored, top=top, plan=best), diff, reach(scored))
    if as_json:
        since = {"since_the_plan_before": diff.to_dict()} if diff else {}
        print_json({**best.to_dict(), **since, "files": [str(file) for file in files]})
        return
    console = Console()
    lines = Table.grid(padding=(0, 3))
    for question, answer in summary(instance, best).items():
        lines.add_row(Text(question, style="bold"), answer)
    if diff:
        lines.add_row(Text("Since the plan before", style="bold"), diff.sentence)
        for change in diff.changes:
            if change.kind != "kept":
                lines.add_row(f"  {change.child}: {KINDS[change.kind]}", change.reason)
    console.print(lines)
    console.print()
    for file in files:
        console.print(Text(f"  {file}"))


@app.command()
def check(
    folder: Folder,
    as_of: AsOf = None,
    mapping: Mapping = None,
    policy: PolicyName = "national",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the same files with the problems beside the rows, to be corrected."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Read only: every problem with its place, its value and what to do; then the blank cells that rules wait for.

    Exit 1 if there are problems. A blank cell is none, but keeps people from each other until it is filled.
    """
    from matcher.catalogue import load_policy
    from matcher.gaps import gaps
    from matcher.readers import read_folder
    from matcher.reading.sheets import SHEETS
    from matcher.writing.corrections import write_corrections

    when, rules = date_of(as_of), load_policy(policy)
    reading = read_folder(folder, when, mapping)
    written = write_corrections(reading, folder, out, when) if out else []
    refusals = reading.refusals
    notes = [problem for problem in reading.problems if not problem.rejected]
    blank = () if refusals else gaps(reading.instance(rules, when))
    if as_json:
        counts = {
            name: {"given": given, "loaded": len(reading.records[name]), "rejected": reading.rejected[name]}
            for name, given in reading.given.items()
        }
        told = [vars(problem) for problem in reading.problems]
        print_json(
            {
                "rows": counts,
                "problems": told,
                "gaps": [vars(gap) for gap in blank],
                "files": [str(file) for file in written],
            }
        )
    else:
        console = Console(soft_wrap=True)
        for sheet in SHEETS:
            if sheet.name in reading.given:
                given, loaded = reading.given[sheet.name], len(reading.records[sheet.name])
                file, rows = reading.files[sheet.name], "row" if given == 1 else "rows"
                console.print(Text(f"{file}: {given} {rows}, {loaded} read, {given - loaded} rejected"))
        for title, problems in (("To be mended", refusals), ("To note: read, but look once", notes)):
            if problems:
                console.print(Text(f"\n{title} ({len(problems)})", style="bold"))
                for problem in problems:
                    console.print(Text(f"  {problem}"))
        if not refusals:
            console.print("\nNothing to mend: every row can be used.")
        if blank:
            console.print(Text(f"\nBlank cells that keep people from each other (policy {rules.name})", style="bold"))
            for gap in blank:
                console.print(Text(f"  {gap}"))
        if written:
            console.print(
                Text("\n".join(["\nWritten, to be corrected and read again:", *(f"  {file}" for file in written)]))
            )
    if refusals:
        raise typer.Exit(1)


@app.command()
def shortlist(
    folder: Folder,
    who: Annotated[str, typer.Argument(metavar="CHILD|VOLUNTEER", help="The reference of a child or a volunteer.")],
    top: Annotated[int, typer.Option("--top", min=1, help="How many.")] = 5,
    rank_by: Annotated[
        RankBy, typer.Option("--rank-by", help="By what each choice costs the whole plan, or by fit alone.")
    ] = RankBy.PLAN,
    different: Annotated[
        bool,
        typer.Option("--different", help="Only volunteers who are really different, so that the child can choose."),
    ] = False,
    policy: PolicyName = "national",
    as_of: AsOf = None,
    mapping: Mapping = None,
    as_json: Json = False,
) -> None:
    """The volunteers who could visit one child, or the children whom one volunteer could visit, with the reasons."""
    from matcher.explain import who_visits_nobody, why_no_child, why_nobody
    from matcher.pipeline import plan
    from matcher.planning.effects import Effects
    from matcher.planning.search import consider
    from matcher.shortlist import reach, reach_of_volunteers
    from matcher.shortlist import shortlist as for_child
    from matcher.shortlist import shortlist_for_volunteer as for_volunteer

    with _progress(STEPS + 1) as tell:
        tell("Reading the files")
        instance = instance_of(folder, policy, as_of, mapping)
        is_volunteer = who in {one.id for one in instance.volunteers}
        if not is_volunteer:
            instance.waiting_child(who)
        scored = consider(instance, tell=tell)
        best = plan(scored, tell=tell)
        effects = Effects(scored, best)
        if is_volunteer:
            candidates = for_volunteer(instance, who, top=top, rank_by=rank_by.value, plan=best, effects=effects)
        else:
            candidates = for_child(
                instance, who, top=top, rank_by=rank_by.value, plan=best, effects=effects, different=different
            )
    why = None
    if not candidates:
        why = why_no_child(instance, who) if is_volunteer else why_nobody(instance, who).reason
    if as_json:
        print_json({
            "volunteer" if is_volunteer else "child": who,
            "rank_by": rank_by.value,
            "policy": instance.policy.name,
            "policy_version": instance.policy.version,
            "policy_hash": instance.policy.content_hash,
            "data_hash": instance.data_hash,
            "as_of": instance.as_of.isoformat(),
            "shortlist": [candidate.to_dict() for candidate in candidates],
            "nobody_because": why,
        })  # fmt: skip
    elif why:
        number, because = who_visits_nobody(instance)
        told = f"{who}: {why}" + (f"\nCan visit no child for now: {because}." if number and not is_volunteer else "")
        Console(soft_wrap=True).print(Text(told))
    else:
        number = (reach_of_volunteers if is_volunteer else reach)(scored)[who]
        _print_shortlist(instance, who, candidates, f"{len(candidates)} of {number}, {RANKED[rank_by]}")


@app.command()
def explain(
    folder: Folder,
    child: Annotated[str, typer.Argument(help="The child's reference.")],
    volunteer: Annotated[str, typer.Argument(help="The volunteer's reference.")],
    policy: PolicyName = "national",
    as_of: AsOf = None,
    mapping: Mapping = None,
    as_json: Json = False,
) -> None:
    """Each rule's verdict on one pair with its reason and source, and each score's points."""
    from matcher.explain import explain as told
    from matcher.words import spoken

    explanation = told(instance_of(folder, policy, as_of, mapping), child, volunteer)
    if as_json:
        print_json(explanation.to_dict())
        return
    console = Console()
    if explanation.eligible:
        console.print(Text(f"{volunteer} could visit {child}: every rule passes.", style="bold"))
    else:
        console.print(Text(f"{volunteer} cannot visit {child}:", style="bold"))
        for reason in explanation.reasons:
            if reason.verdict in ("fails", "not recorded"):
                console.print(Text(f"  {reason.sentence}"))
    policy_told = f"{explanation.policy} {explanation.policy_version} ({explanation.policy_hash})"
    console.print(Text(f"Policy {policy_told}, as of {explanation.as_of}.\n"))
    rules = plain_table("Verdict", "Rule", "Why", "Source")
    style = {"passes": "green", "fails": "bold red", "not recorded": "bold yellow"}
    in_force = [reason for reason in explanation.reasons if reason.verdict != "not in force"]
    for reason in in_force:
        verdict = Text(reason.verdict, style=style.get(reason.verdict, ""))
        rules.add_row(verdict, spoken(reason.rule), reason.sentence, Text(reason.source, style="dim"))
    console.print(rules)
    silent = [spoken(reason.rule) for reason in explanation.reasons if reason not in in_force]
    if silent:
        console.print(Text(f"Not asked for by this policy: {', '.join(silent)}.\n", style="dim"))
    points = plain_table("Score or priority", "Weight", "Points", "Why")
    for line in (*explanation.scores, *explanation.priorities):
        shown = str(line.points) if line.counts == "known" else "–"
        points.add_row(line.title, "" if line.weight is None else str(line.weight), shown, line.sentence)
    console.print(points)
    console.print(f"Fit {explanation.fit} of 1000, priority {explanation.priority}: {explanation.points} points.")
    print_documents(console)


@app.command()
def rules(policy: PolicyName = "national", as_json: Json = False) -> None:
    """Every rule, constraint, score and priority: what it says, its source, and the policy's limit."""
    from matcher.catalogue import described, load_policy

    chosen = load_policy(policy)
    rows = described(chosen)
    if as_json:
        print_json({"policy": chosen.name, "version": chosen.version, "hash": chosen.content_hash, "entries": rows})
        return
    console = Console(soft_wrap=True)
    console.print(
        Text(f"{chosen.title} (policy {chosen.name} {chosen.version}, {chosen.content_hash})\n", style="bold")
    )
    for section in dict.fromkeys(row["section"] for row in rows):
        console.print(Text(section.upper(), style="bold"))
        for row in (row for row in rows if row["section"] == section):
            mark = " (core)" if row["core"] else "" if row["in_force"] else " (off)"
            limits = "; ".join(f"{key} = {limit['value']}" for key, limit in row["limits"].items())
            console.print(Text.assemble((f"  {row['id']}{mark}", "bold"), f"  {row['title']}."))
            console.print(Text(f"      {limits + '. ' if limits else ''}Source: {row['source']}", style="dim"))
        console.print()
    console.print("Core rules are statutory or safeguarding: no policy can switch them off.")
    print_documents(console)


@app.command()
def template(
    out: Annotated[Path, typer.Option("--out", help="A workbook such as children.xlsx, or a folder for all of them.")],
    sheet: Annotated[str | None, typer.Option("--sheet", help="Which sheet, if the name does not say so.")] = None,
) -> None:
    """A workbook to fill in, with drop-down lists and a note on each heading."""
    from matcher.writing.template import write_templates

    for file in write_templates(out, sheet):
        Console(soft_wrap=True).print(Text(str(file)))


@app.command("map")
def propose_mapping(
    file: Annotated[Path, typer.Argument(help="A .csv or .xlsx file with other headings.")],
    sheet: Annotated[str, typer.Option("--sheet", help="What its rows are: children, volunteers, …")],
    out: Annotated[Path, typer.Option("--out", help="Where the proposal goes.")] = Path("mapping.toml"),
) -> None:
    """Propose how a file with other headings is read. Nothing follows the proposal until you have confirmed it."""
    from matcher.reading.mapping_proposal import write_proposal

    written = write_proposal(file, sheet, out)
    Console(soft_wrap=True).print(Text(f"{written}: a proposal. Look at every line, then write confirmed = true."))


@app.command()
def sample(
    children: Annotated[int, typer.Option("--children", min=1, max=100_000, help="How many children.")],
    volunteers: Annotated[int, typer.Option("--volunteers", min=1, max=100_000, help="How many volunteers.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write; made if need be.")],
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same service.")] = 1,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Make up a realistic service from published figures. Synthetic: no real person."""
    from matcher.sample import write_sample

    write_sample(out, children, volunteers, seed, as_of=date_of(as_of))
    files = [str(file) for file in sorted(out.iterdir())]
    if as_json:
        print_json({"files": files})
    else:
        Console(soft_wrap=True).print(Text("\n".join(files)))


@contextmanager
def _progress(steps: int) -> Iterator[Callable[[str], None]]:
    """A bar on a terminal; nothing where the output goes to a file or another program."""
    console = Console(stderr=True)
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=steps)

        def tell(step: str) -> None:
            bar.update(task, description=step, advance=1)

        yield tell


def _print_shortlist(instance: Instance, who: str, candidates: tuple[Candidate, ...], shown: str) -> None:
    console = Console()
    first = candidates[0]
    of_child = who == first.child
    console.print(Text(f"Shortlist of {who}: {shown}", style="bold"))
    console.print(Text(f"Policy {instance.policy.stamp}, as of {instance.as_of}."))
    if of_child:
        for line in first.priorities:
            console.print(Text(f"Priority {line.points}: {line.sentence}"))
    console.print()
    table = plain_table("Rank", "Volunteer" if of_child else "Child", "Fit", "Why", "For the whole plan")
    for one in candidates:
        why = [f"{line.sentence} ({line.points})" for line in one.scores if line.counts == "known"]
        why += [f"{line.title}: not recorded" for line in one.scores if line.counts == "not recorded"]
        why += one.notes.values()
        if not of_child:
            why += [f"Priority {line.points}: {line.sentence}" for line in one.priorities if line.points]
        effect = [f"{one.standing[0].upper()}{one.standing[1:]}.", one.effect.sentence if one.effect else ""]
        table.add_row(str(one.rank), one.volunteer if of_child else one.child, str(one.fit), "\n".join(why),
                      "\n".join(effect))  # fmt: skip
    console.print(table)


def _complain(error: KithError) -> None:
    print(f"kith: {error}", file=sys.stderr)  # noqa: T201


def _exit_code(error: KithError) -> int:
    if isinstance(error, AuditError):
        return 70
    if isinstance(error, NoPlanError):
        return 3
    return 2 if isinstance(error, PolicyError) and not isinstance(error, InputError) else 1
