"""What is left to do in a survey, the next thing first."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from app.data import ClassRun, Explorer
from app.job_commands import classifiers
from app.parts import link
from app.survey_data import burst_counts, latest_head, waiting_suggestions

_FEWEST = 3  # names of a kind, from which on a head can learn it
_KINDS = 2  # that a head tells apart, at least
_MORE = 1.2  # times as many names as a head was taught make it worth another


@dataclass(frozen=True)
class Step:
    """Something left to do.

    Attributes:
        text: what, in words.
        do: what stands on its button.
        command: the command that does it, where there is one.
        job: the request that its button makes, see `job_commands`.
        href: the page that its button opens.
    """

    text: str
    do: str
    command: str | None = None
    job: dict[str, Any] | None = None
    href: str | None = None


def steps(explorer: Explorer, runs: dict[str, ClassRun]) -> list[Step]:
    """Return what is left to do, the next thing first.

    Args:
        explorer: the survey.
        runs: the latest cluster run of each class.
    """
    found = []
    if burst_counts(explorer.survey) is None:
        text = "Find the frames that show one scene, so that each scene counts once"
        found.append(Step(text, "Find bursts", "discover bursts", {"command": "bursts"}))
    crops = explorer.classes_by_dive()
    if crops.empty:
        return [*found, _embed(explorer)]
    found += [_cluster(crops, name) for name in sorted(set(crops["class"]) - set(runs))]
    unnamed = [_unnamed(explorer, run) for run in runs.values()]
    found += [step for step in unnamed if step is not None]
    return [*found, *_of_names(explorer, runs)]


def _embed(explorer: Explorer) -> Step:
    known = classifiers(explorer)
    if known:
        name = known[-1]
        text = f"Cut out what the classifier {name} points at, and describe each crop as a vector"
        command = f"discover embed --model runs/{name}"
        return Step(text, "Cut and embed", command, {"command": "embed", "model": name})
    text = (
        "Cut the crops and describe them as vectors: by a classifier (the command), or whole "
        "frames, which needs none"
    )
    job = {"command": "embed", "whole_frame": True}
    return Step(text, "Embed whole frames", "discover embed --model RUN", job)


def _cluster(crops: pd.DataFrame, name: str) -> Step:
    number = int(crops.loc[crops["class"] == name, "crops"].sum())
    text = f"Find the kinds among {count(number, 'crop')} of {name}"
    job = {"command": "cluster", "class": name}
    return Step(text, f"Cluster {name}", f"discover cluster --class {name}", job)


def _unnamed(explorer: Explorer, run: ClassRun) -> Step | None:
    crops = explorer.crops(run)
    clusters = crops[crops["cluster"] >= 0].groupby("cluster")["name"].agg(["size", "count"])
    left = clusters.loc[clusters["count"] == 0, "size"]
    if left.empty:
        return None
    text = (
        f"Name {count(len(left), 'cluster')} of {run.class_name}; "
        f"the largest holds {count(int(left.max()), 'crop')}"
    )
    return Step(text, "Open the queue", href=link("/queue", run=run.name))


def _of_names(explorer: Explorer, runs: dict[str, ClassRun]) -> list[Step]:
    """Return what the names that were given can be used for."""
    names = explorer.names()
    human = names[names["origin"] == "human"]
    if human.empty:
        return []
    found = []
    kinds = human["name"].value_counts()
    kinds = kinds[kinds >= _FEWEST]
    if len(kinds) >= _KINDS and _taught(explorer) * _MORE < kinds.sum():
        text = (
            f"Teach the {len(kinds)} kinds that have names to a head, which suggests names for the "
            "other crops"
        )
        command = "discover learn --out heads/first"
        found.append(Step(text, "Learn the kinds", command, {"command": "learn"}))
    waiting = waiting_suggestions(explorer.survey)
    if waiting and runs:
        run = list(runs.values())[-1]
        text = f"Look at {count(waiting, 'suggestion')} of the head: none counts until you take it"
        found.append(Step(text, "Open the queue", href=link("/queue", run=run.name)))
    text = f"Take {count(len(human), 'named crop')} along; more formats are under Subcategories"
    job = {"command": "export", "format": "csv"}
    found.append(Step(text, "Export as CSV", "discover export csv --out labels.csv", job))
    return found


def _taught(explorer: Explorer) -> int:
    """Return how many names the latest head was taught, 0 where there is none."""
    run = latest_head(explorer.survey)
    return int(run.info["counts"]["named"]) if run else 0


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
