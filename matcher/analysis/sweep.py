"""Hundreds of plans of one service, each under other weights.

    results = sweep(instance, grid(instance.policy, interests=[20, 40, 60]), jobs=2)
    results.frame            one row a policy: its weights, who is matched, at what fit and cost
    results.matches_frame    one row a match of a policy

Records are read, rules judged and raw fits taken once: only what depends on the weights is done for each policy. The
plans are audited as every plan is, and are those that `match` gives.

Plans are made by joblib: in this process, in several (`jobs`), or on a Dask cluster (`scheduler`). With a file each is
kept as soon as it is made, one line each, and a sweep that was stopped goes on from there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matcher.audit import require_clean
from matcher.errors import InputError, KithError, analysis_extra
from matcher.instance import Instance
from matcher.pairs import Ints
from matcher.planning.search import Planning, consider
from matcher.policy import Policy
from matcher.rules.budget import out_of_county_pence
from matcher.scoring import Fits
from matcher.shortlist import first_places

if TYPE_CHECKING:
    import pandas as pd

AT_ONCE = 10
"""Plans that a worker makes before it hands them over: what a killed worker can lose, and is then done again."""


@dataclass(frozen=True)
class Tried:
    """What one policy makes of the service."""

    policy: str
    policy_hash: str
    weights: Mapping[str, int]
    status: str
    points: int
    """Points of the matches under this policy."""
    priority: int
    """Of these, what the children bring."""
    fit: int
    """Of these, fit under this policy's weights: not to be compared with another policy's."""
    fit_as_now: int
    """Fit of the same matches under the weights of the policy that the sweep started from."""
    out_of_county_pence: int
    matches: Mapping[str, str]
    """The volunteer of each child who is matched."""
    first: Mapping[str, str]
    """The volunteer who fits each child best: the first place of a shortlist by fit."""


@dataclass(frozen=True)
class Sweep:
    """What each policy of a sweep makes of one service, in the order in which the policies were given."""

    tried: tuple[Tried, ...]

    def __len__(self) -> int:
        return len(self.tried)

    @property
    def frame(self) -> pd.DataFrame:
        """One row a policy; its weights are the columns `weight_…`.

        `same_matches` counts the matches that the first policy's plan has too, `same_first_places` the children whom
        the same volunteer fits best as under the first policy.
        """
        import pandas as pd

        base = self.tried[0]
        return pd.DataFrame([
            {
                "policy": one.policy,
                "policy_hash": one.policy_hash,
                **{f"weight_{score}": weight for score, weight in one.weights.items()},
                "status": one.status,
                "children_matched": len(one.matches),
                "points": one.points,
                "priority_points": one.priority,
                "fit_points": one.fit,
                "fit_points_as_now": one.fit_as_now,
                "out_of_county_pounds_a_year": one.out_of_county_pence / 100,
                "same_matches": _alike(one.matches, base.matches),
                "same_first_places": _alike(one.first, base.first),
            }
            for one in self.tried
        ])  # fmt: skip

    @property
    def matches_frame(self) -> pd.DataFrame:
        """One row a match of a policy: policy_hash, child_id, volunteer_id."""
        return self._pairs_frame("matches")

    @property
    def first_places_frame(self) -> pd.DataFrame:
        """One row a child with a shortlist under a policy: policy_hash, child_id, volunteer_id in the first place."""
        return self._pairs_frame("first")

    def _pairs_frame(self, name: str) -> pd.DataFrame:
        import pandas as pd

        rows = [(one.policy_hash, child, with_) for one in self.tried for child, with_ in getattr(one, name).items()]
        return pd.DataFrame(rows, columns=["policy_hash", "child_id", "volunteer_id"])


def _alike(one: Mapping[str, str], other: Mapping[str, str]) -> int:
    return len(one.items() & other.items())


def sweep(
    instance: Instance,
    policies: Sequence[Policy],
    *,
    file: str | Path | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    tell: Callable[[int], None] | None = None,
) -> Sweep:
    """Plans the service under each policy; these may differ from the instance's own in weights, points and tiers alone.

    Args:
        policies: the first is what the others are compared with. One that is given twice is planned once.
        file: keeps each plan as soon as it is made; what it already holds is not planned again. None keeps nothing.
        jobs: processes, -1 for as many as there are processors; as joblib is configured, or one, if None.
        scheduler: address of a Dask cluster that does the work instead, as "tcp://10.0.0.5:8786".
        tell: called with the number of plans done so far.

    Raises:
        PolicyError: a policy that differs in a rule. InputError: a file of another service, date or policy.
        NoPlanError, AuditError: as `match` does; what was planned before is in the file.
    """
    asked = {policy.content_hash: policy for policy in policies}
    results = _Results(Path(file), instance) if file is not None else None
    done = {one.policy_hash: one for one in results.read()} if results else {}
    pairs = consider(instance).pairs
    fits = Fits.of(pairs, instance.policy)
    for policy in asked.values():
        fits.weighed(policy)  # refuses what cannot be swept before hours of work, not after
    left = [policy for hash, policy in asked.items() if hash not in done]
    count = len(asked) - len(left)
    if tell:
        tell(count)
    for some in _planned(fits, left, jobs, scheduler):
        if results:
            results.append(some)
        done |= {one.policy_hash: one for one in some}
        count += len(some)
        if tell:
            tell(count)
    return Sweep(tuple(done[hash] for hash in asked))


def _planned(fits: Fits, policies: Sequence[Policy], jobs: int | None, scheduler: str | None) -> Iterator[list[Tried]]:
    """Some plans at a time, as they are ready."""
    with analysis_extra("A sweep"):
        from joblib import Parallel, delayed
        from joblib.externals.loky.process_executor import TerminatedWorkerError
    some = [policies[start : start + AT_ONCE] for start in range(0, len(policies), AT_ONCE)]
    try:
        with _cluster(scheduler):
            parallel = Parallel(n_jobs=None if scheduler else jobs, return_as="generator_unordered", batch_size=1)
            yield from parallel(delayed(_try_all)(fits, these) for these in some)
    except TerminatedWorkerError:
        raise KithError(
            "A process of the sweep was killed, perhaps for want of memory. Begin again with fewer --jobs: what its "
            "file holds is not done twice."
        ) from None


def _try_all(fits: Fits, policies: Sequence[Policy]) -> list[Tried]:
    now = fits.weighed(fits.pairs.tables.instance.policy).fit
    return [_try(fits, policy, now) for policy in policies]


def _try(fits: Fits, policy: Policy, now: Ints) -> Tried:
    weighed = fits.weighed(policy)
    planning = Planning.of(weighed)
    solution = planning.solve()
    rows = solution.chosen
    require_clean(weighed.pairs.tables.instance, planning.ids(rows))
    together = len(planning.together(rows)) * planning.goal.sibling_points
    fit, priority = int(weighed.fit[rows].sum()), int(weighed.priority[rows].sum())
    return Tried(
        policy=policy.name,
        policy_hash=policy.content_hash,
        weights={id: policy.number(f"scores.{id}.weight") for id in fits.by_score},
        status=solution.status,
        points=fit + priority + together,
        priority=priority,
        fit=fit,
        fit_as_now=int(now[rows].sum()),
        out_of_county_pence=int(out_of_county_pence(weighed.pairs, policy)[rows].sum()),
        matches=dict(planning.ids(rows)),
        first=dict(planning.ids(first_places(weighed))),
    )


@contextmanager
def _cluster(scheduler: str | None) -> Iterator[None]:
    """Hands what joblib does to a Dask cluster, if one is named."""
    if scheduler is None:
        yield
        return
    with analysis_extra("A sweep on a cluster"):
        from distributed import Client
        from joblib import parallel_config
    try:
        client = Client(scheduler)
    except (OSError, ValueError) as error:
        raise InputError(f"No Dask scheduler answers at “{scheduler}” ({error}). Check the address.") from None
    with client, parallel_config(backend="dask"):
        if strangers := sorted(at for at, has in client.run(_versions).items() if has != _versions()):
            raise InputError(
                f"The workers at {', '.join(strangers)} have other versions of Kith or of its solver, whose plans may "
                "differ. Install the same as here."
            )
        yield


def _versions() -> tuple[str, str]:
    """What plans repeat on."""
    return version("kith-matcher"), version("ortools")


class _Results:
    """The file of a sweep: a heading, then one plan a line.

    Lines are only ever added, each whole and on the disk before the next. A line that a crash has torn is cut off when
    the file is read again, and its plan is made again.
    """

    def __init__(self, path: Path, instance: Instance) -> None:
        self.path = path
        self.heading = {
            "sweep_of": instance.data_hash,
            "as_of": instance.as_of.isoformat(),
            "policy": instance.policy.stamp,
            "versions": list(_versions()),
        }

    def read(self) -> list[Tried]:
        """The plans that the file holds; begins the file if there is none. Raises InputError for another sweep's."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole = self.path.read_bytes() if self.path.exists() else b""
        kept = whole[: whole.rfind(b"\n") + 1]
        if kept != whole:
            os.truncate(self.path, len(kept))
        if not kept:
            self._add([self.heading])
            return []
        try:
            heading, *rows = map(json.loads, kept.splitlines())
            tried = [Tried(**row) for row in rows]
        except (ValueError, TypeError):
            raise InputError(f"“{self.path}” is no sweep's file, or is damaged. Give another with --out.") from None
        if heading != self.heading:
            raise InputError(
                f"“{self.path}” is a sweep of other records, or of another date, policy or version. "
                "Give another with --out."
            )
        return tried

    def append(self, some: Sequence[Tried]) -> None:
        self._add([asdict(one) for one in some])

    def _add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        lines = "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)
        with self.path.open("ab", buffering=0) as file:
            file.write(lines.encode())
            os.fsync(file.fileno())
