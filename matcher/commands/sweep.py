"""kith sweep: one service planned under hundreds of policies. Thin, as `cli.py` is."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from matcher.commands.terminal import AsOf, Folder, Json, Mapping, PolicyName, date_of, plain_table, print_json

if TYPE_CHECKING:
    from matcher.analysis.sweep import Sweep
    from matcher.policy import Policy


def sweep(
    folder: Folder,
    weights: Annotated[
        list[str],
        typer.Option(
            "--weights",
            help="interests=20,40,60 tries each; interests=0..80 draws from the range; all=0..80 is every score. "
            "Once for each score.",
        ),
    ],
    draws: Annotated[int | None, typer.Option("--draws", min=1, help="How many policies to draw from ranges.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed draws the same policies.")] = 1,
    jobs: Annotated[int, typer.Option("--jobs", help="Processes; -1 for as many as there are processors.")] = 1,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="A Dask cluster does the work: tcp://10.0.0.5:8786.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder; a sweep begun there goes on.")] = Path("sweep"),
    policy: PolicyName = "national",
    as_of: AsOf = None,
    mapping: Mapping = None,
    as_json: Json = False,
) -> None:
    """Plan under many weights: what each changes. Writes plans.jsonl as it goes and sweep.csv at the end."""
    from matcher.analysis.sweep import sweep as swept
    from matcher.catalogue import load_policy
    from matcher.readers import read_folder

    chosen, when = load_policy(policy), date_of(as_of)
    policies = _policies(chosen, weights, draws, seed)
    instance = read_folder(folder, when, mapping).instance(chosen, when)
    console, plans = Console(stderr=True), out / "plans.jsonl"
    # Who stops a sweep is told so below, in our own words.
    warnings.filterwarnings("ignore", r"\d+ tasks which were still being processed", UserWarning)
    with Progress(
        TextColumn("Planning"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=len({one.content_hash for one in policies}))
        try:
            results = swept(
                instance, policies, file=plans, jobs=jobs, scheduler=scheduler,
                tell=lambda done: bar.update(task, completed=done),
            )  # fmt: skip
        except KeyboardInterrupt:
            console.print(Text(f"Stopped. {plans} keeps what is done; the same command goes on from there."))
            raise typer.Exit(130) from None
    table = _written(results, out / "sweep.csv")
    if as_json:
        print_json({"policies": len(results), "files": [str(plans), str(table)]})
        return
    _print(results)
    Console(soft_wrap=True).print(Text(f"\n  {plans}\n  {table}"))


def _policies(policy: Policy, weights: list[str], draws: int | None, seed: int) -> list[Policy]:
    from matcher.analysis.designs import drawn, grid, scores

    lists: dict[str, list[int]] = {}
    ranges: dict[str, tuple[int, int]] = {}
    for told in weights:
        name, _, values = told.partition("=")
        try:
            if ".." in values:
                least, most = map(int, values.split(".."))
                if least > most:
                    raise ValueError
                ranges |= dict.fromkeys(scores(policy) if name == "all" else [name], (least, most))
            else:
                listed = [int(value) for value in values.split(",")]
                lists |= dict.fromkeys(scores(policy) if name == "all" else [name], listed)
        except ValueError:
            raise typer.BadParameter(
                f"“{told}” is not understood. Write interests=20,40,60 or interests=0..80.", param_hint="--weights"
            ) from None
    if bool(ranges) != (draws is not None):
        wrong = (
            "A range needs --draws, the number of policies." if ranges else "--draws needs a range, as interests=0..80."
        )
        raise typer.BadParameter(wrong, param_hint="--draws")
    tried = drawn(policy, ranges, draws, seed=seed) if draws is not None else [policy]
    if not lists:
        return tried
    return [policy, *(other for one in tried for other in grid(one, **lists)[1:])]


def _written(results: Sweep, file: Path) -> Path:
    """One row a policy, put in place whole."""
    draft = file.with_suffix(".part")
    results.frame.to_csv(draft, index=False, lineterminator="\n")
    os.replace(draft, file)
    return file


def _print(results: Sweep) -> None:
    frame = results.frame
    base, others = frame.iloc[0], frame.iloc[1:]
    shown = plain_table("", "As the policy is", "Least", "Median", "Most")
    for column, words in (
        ("children_matched", "children matched"),
        ("same_matches", "the same matches as now"),
        ("same_first_places", "children whom the same volunteer fits best"),
        ("fit_points_as_now", "fit, by the weights of now"),
        ("out_of_county_pounds_a_year", "out of county, pounds a year"),
    ):
        figures = [base[column], *(others[column].quantile(share) for share in (0, 0.5, 1))]
        shown.add_row(words, *(f"{figure:,.0f}" for figure in figures))
    console = Console()
    console.print(Text(f"{len(others):,} policies beside {base['policy']}", style="bold"))
    console.print(shown)
