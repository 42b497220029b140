"""Frames in; crops and their embeddings out, in one pass over the files.

Crops are decided by where regions come from, embeddings by the crops and by what looks at them: so
several embeddings of the same crops stand side by side. The unit of work is a shard of the frames
table; its tables are done when their shards are there, so that a run that was killed goes on where
it was, and any number of processes may share it.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from classify.errors import UserError
from classify.runs import Run
from discover.cutting.embed_runs import (
    Plan,
    complete_runs,
    crops_plan,
    embeddings_plan,
    pooled_plan,
    units_of,
)
from discover.cutting.embedders import EmbedConfig
from discover.cutting.regions import ClassifierRegions, RegionSource
from discover.cutting.units import Job, UnitWorker, todo
from discover.survey import Survey

__all__ = ["EmbedConfig", "Shard", "embed"]

Progress = Callable[[int, int], None]
Engine = Callable[[Job, Sequence[str], Callable[[int], None]], Iterator[int]]
ENGINES = ("local", "ray")


@dataclass(frozen=True)
class Shard:
    """One part of the work of several processes that share no more than the survey's folder.

    Attributes:
        number: which part, from 1.
        of: how many parts there are.
    """

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read "3/8".

        Raises:
            UserError: it is something else, or beyond the number of parts.
        """
        number, _, of = text.partition("/")
        if number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of):
            return cls(int(number), int(of))
        raise UserError(f"--shard {text!r} is not a part of all, from 1/8 to 8/8")

    def has(self, unit: str) -> bool:
        """Whether a unit of work is in this part: decided by its name alone."""
        digest = hashlib.sha256(unit.encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.of == self.number - 1


def embed(
    survey: Survey,
    regions: RegionSource,
    *,
    config: EmbedConfig | None = None,
    pooled: bool = False,
    hide_overlay: bool = True,
    shard: Shard | None = None,
    engine: str = "local",
    workers: int | None = None,
    progress: Progress | None = None,
) -> Run:
    """Find the regions of all frames, cut them out and embed them.

    Args:
        survey: the survey, with frames.
        regions: where regions come from: a classifier, boxes, the whole frame, or an earlier run.
        config: how crops become vectors; None takes the defaults.
        pooled: also keep, as a run beside the first, the classifier's own map averaged over each
            region; needs regions of a classifier.
        hide_overlay: leave out regions that are mostly vehicle or telemetry, and treat what such
            things cover of others as background; regions that were given stay as they are.
        shard: the part of the work to do; None does all.
        engine: "local" (this process, a frame a core), or "ray" (all machines of a Ray cluster
            that see the survey's folder and the frames by the same paths).
        workers: processes of Ray; None takes one a CPU.
        progress: called with (frames done, frames in all), of the shard.

    Returns:
        The run of embeddings; `crops/<run.info["parents"]["crops"]>` are its crops. The same call
        again goes on where it was stopped, takes in new frames and files that could not be read
        before, and adds nothing when nothing is new. It is complete when the units of all shards
        are there, by whichever process ends last.

    Raises:
        SurveyError: there are no frames, or most files of a unit cannot be read.
        WeightsError: the backbone's weights cannot be had.
        UserError: an argument is wrong, or Ray is not installed.
    """
    if engine not in ENGINES:
        raise UserError(f"--engine {engine!r} is none of {', '.join(ENGINES)}")
    units, shard = units_of(survey, regions), shard or Shard()
    mine = [unit for unit in units if shard.has(unit)]
    hide_overlay = hide_overlay and not regions.given
    crops = crops_plan(regions, hide_overlay=hide_overlay)
    plans, ways = _embeddings(crops, regions, config or EmbedConfig(), pooled)
    for plan in (crops, *plans):
        survey.table(plan.stage, plan.name).set_aside_damaged(mine)
    job = Job(survey.root.resolve(), regions, hide_overlay, crops.name, ways)
    open_units = {unit: what for unit in mine if (what := todo(survey, job, unit))}
    cut = crops.take_up(survey, anything=any(what.crops for what in open_units.values()))
    runs = [
        plan.take_up(
            survey, anything=any(plan.name in what.embeddings for what in open_units.values())
        )
        for plan in plans
    ]
    _work(survey, job, mine, set(open_units), _engine(engine, workers), progress)
    complete_runs(survey, units, cut, runs)
    return runs[0]


def _embeddings(
    crops: Plan, regions: RegionSource, config: EmbedConfig, pooled: bool
) -> tuple[list[Plan], dict[str, EmbedConfig | None]]:
    """Return the runs of embeddings, and how the vectors of each are made."""
    plans, ways = [embeddings_plan(crops, config)], [config, None]
    if pooled:
        if not isinstance(regions, ClassifierRegions):
            raise UserError("--pooled needs --model RUN: it is that classifier's own map")
        backbone = regions.classifier.config.backbone
        plans.append(pooled_plan(crops, regions, backbone))
    return plans, {plan.name: way for plan, way in zip(plans, ways, strict=False)}


def _engine(engine: str, workers: int | None) -> Engine:
    """Return what does the units of a job and yields the frames that are done as it goes."""
    if engine == "ray":
        from discover.cutting.on_ray import over_cluster

        return partial(over_cluster, workers=workers)
    return _in_this_process


def _in_this_process(
    job: Job, units: Sequence[str], advance: Callable[[int], None]
) -> Iterator[int]:
    worker = UnitWorker(job)
    for unit in units:
        yield worker.run(unit, advance)


def _work(
    survey: Survey,
    job: Job,
    units: Sequence[str],
    pending: set[str],
    engine: Engine,
    progress: Progress | None,
) -> None:
    """Do the pending units, and tell of the progress over all."""
    sizes = {unit: about[0] for unit in units if (about := survey.frames.about(unit))}
    total = sum(sizes.values())
    done = sum(size for unit, size in sizes.items() if unit not in pending)

    def advance(of_unit: int) -> None:
        if progress:
            progress(done + of_unit, total)

    advance(0)
    todo_units = [unit for unit in units if unit in pending]
    if todo_units:
        for frames in engine(job, todo_units, advance):
            done += frames
            advance(0)
