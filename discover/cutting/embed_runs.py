"""The runs of `discover embed`: what decides them, what they are called, and when they are done."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from classify.runs import RUN_FILE, Run, content_hash, read_run, start_run
from classify.trunks import short_name, weights_hash
from discover.cutting.embedders import EmbedConfig
from discover.cutting.regions import RegionSource
from discover.cutting.stored_regions import StoredRegions
from discover.cutting.units import has_vectors, unreadable
from discover.survey import Survey, SurveyError


@dataclass(frozen=True)
class Plan:
    """A run that is to be made or gone on with; its name is decided by all that decides it.

    Attributes:
        stage: "crops" or "embeddings".
        name: of the run.
        config: what decides it, as plain values.
        parents: runs that it is made from, by role.
        model_hash: SHA-256 of the weights, where a file holds them.
    """

    stage: str
    name: str
    config: dict[str, Any]
    parents: dict[str, str] = field(default_factory=dict)
    model_hash: str | None = None

    def take_up(self, survey: Survey, *, anything: bool) -> Run:
        """Return the run, "started" where there is anything to do and as it was where not.

        A run that another process has started is not started again.
        """
        folder = survey.run_folder(self.stage, self.name)
        if (folder / RUN_FILE).is_file():
            run = read_run(folder)
            if not (anything and run.is_complete):
                return run
        return start_run(
            folder,
            command="discover embed",
            config=self.config,
            parents=self.parents,
            model_hash=self.model_hash,
        )


def crops_plan(regions: RegionSource, *, hide_overlay: bool) -> Plan:
    """Return the run of crops: decided by where regions come from."""
    if isinstance(regions, StoredRegions):
        return Plan("crops", regions.run.name, regions.key)
    key = {
        "mode": regions.mode,
        **regions.key,
        "min_side": regions.min_side,
        "hide_overlay": hide_overlay,
    }
    name = f"{regions.mode}-{content_hash(key)}"
    return Plan("crops", name, key, model_hash=regions.model_hash)


def embeddings_plan(crops: Plan, config: EmbedConfig) -> Plan:
    """Return the run of one embedding: decided by the crops, the settings and the weights."""
    digest = weights_hash(config.backbone, config.weights)
    settings = {**config.to_dict(), "size": config.side}
    # the same weights are the same, wherever their file is
    decides = {**settings, "backbone": None, "weights": None} if digest else settings
    parts = [short_name(config.backbone), *([config.way] if config.way != "object" else [])]
    name = "-".join([*parts, content_hash([crops.name, digest, decides])])
    stored = {"crops": crops.name, "embed": settings}
    return Plan("embeddings", name, stored, {"crops": crops.name}, digest)


def pooled_plan(crops: Plan, regions: RegionSource, backbone: str) -> Plan:
    """Return the run of a classifier's own map, averaged over the crops."""
    name = f"{short_name(backbone)}-pooled-{content_hash([crops.name, regions.model_hash])}"
    stored = {"crops": crops.name, "pooled": True}
    return Plan("embeddings", name, stored, {"crops": crops.name}, regions.model_hash)


def complete_runs(
    survey: Survey, units: Sequence[str], crops: Run, embeddings: Sequence[Run]
) -> None:
    """Mark the runs of which every unit is there, with their counts.

    Whichever process ends last finds them so; the tables alone say it.
    """
    counts = _count_crops(survey, units, crops)
    if counts is None:
        return
    if not crops.is_complete:
        crops.complete(counts=counts)
    for run in embeddings:
        made = _count_vectors(survey, units, crops, run)
        if made is not None and not run.is_complete:
            lost = counts["unreadable"] + made["unreadable"]
            run.complete(counts={**counts, "crops": made["crops"], "unreadable": lost})


def _count_crops(survey: Survey, units: Sequence[str], run: Run) -> dict[str, int] | None:
    """Return the counts of a run of crops; None where a unit is missing."""
    table = survey.table("crops", run.name)
    counts = {"frames": 0, "crops": 0, "unreadable": 0, "covered": 0}
    for unit in units:
        found, frames = table.about(unit), survey.frames.about(unit)
        if found is None or frames is None:
            return None
        rows, notes = found
        counts["frames"] += frames[0]
        counts["crops"] += rows
        counts["unreadable"] += len(unreadable(notes))
        counts["covered"] += int(notes.get("covered", 0))
    return counts


def _count_vectors(
    survey: Survey, units: Sequence[str], crops: Run, run: Run
) -> dict[str, int] | None:
    """Return the counts of a run of embeddings; None where a unit is missing."""
    counts = {"crops": 0, "unreadable": 0}
    cut, table = survey.table("crops", crops.name), survey.table("embeddings", run.name)
    for unit in units:
        of_crops, found = cut.about(unit), table.about(unit)
        if of_crops is None or found is None or not has_vectors(table, unit, crops=of_crops[0]):
            return None
        counts["crops"] += found[0]
        counts["unreadable"] += len(unreadable(found[1]))
    return counts


def units_of(survey: Survey, regions: RegionSource) -> list[str]:
    """Return the units to go through: all frames, or those that stored crops were made of.

    Raises:
        SurveyError: there are no frames.
    """
    units = survey.frames.units()
    if not units:
        raise SurveyError(f"--survey {survey.root} has no frames: run `discover add FOLDER` first")
    if isinstance(regions, StoredRegions):
        stored = set(survey.table("crops", regions.run.name).units())
        return [unit for unit in units if unit in stored]
    return units
