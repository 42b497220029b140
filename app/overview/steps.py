"""What is left to do in a survey, the next thing first."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from app.data import ClassRun, Explorer
from app.jobs.commands import classifiers
from app.overview.data import burst_counts, latest_head, new_crops, waiting_suggestions
from app.parts import link
from discover.kinds.members import FEWEST

_FEWEST = 3  # names of a kind, from which on a head can learn it
_KINDS = 2  # that a head tells apart, at least
NOISE = -1  # the group of what is in none
_REST = 30  # crops without a name, from which on another clustering may find kinds
_MORE = 1.2  # times as many names as a head was taught make it worth another


@dataclass(frozen=True)
class Action:
    """What a step's button does: a request for a job (`app.jobs.commands`), or a page to open."""

    label: str
    job: dict[str, Any] | None = None
    href: str | None = None


@dataclass(frozen=True)
class Step:
    """Something left to do.

    Attributes:
        text: what, in words.
        actions: its buttons.
        command: the command that does it, where there is one.
    """

    text: str
    actions: tuple[Action, ...]
    command: str | None = None


def steps(explorer: Explorer, runs: dict[str, ClassRun]) -> list[Step]:
    """Return what is left to do, the next thing first.

    Args:
        explorer: the survey.
        runs: the latest cluster run of each class, as `Explorer.latest_runs` has them.
    """
    found = []
    if burst_counts(explorer.survey) is None:
        text = "Find the frames that show one scene, so that each scene counts once"
        action = Action("Find bursts", {"command": "bursts"})
        found.append(Step(text, (action,), "discover bursts"))
    crops = explorer.classes_by_dive()
    if crops.empty:
        return [*found, _embed(explorer)]
    sizes = crops[~crops["class"].isin(list(runs))].groupby("class")["crops"].sum()
    missing = sizes[sizes >= FEWEST]
    if len(missing):
        found.append(_cluster(missing))
    found += [step for step in (_place_new(explorer, run) for run in runs.values()) if step]
    unnamed = [_unnamed(explorer, run) for run in runs.values()]
    found += [step for step in unnamed if step is not None]
    return [*found, *_of_names(explorer, runs)]


def _embed(explorer: Explorer) -> Step:
    known = classifiers(explorer)
    if known:
        name = known[-1]
        text = f"Cut out what the classifier {name} points at, and describe each crop as a vector"
        command = f"discover embed --model runs/{name}"
        action = Action("Cut and embed", {"command": "embed", "model": name})
        return Step(text, (action,), command)
    text = (
        "Cut the crops and describe them as vectors: by a classifier (the command), or whole "
        "frames, which needs none"
    )
    action = Action("Embed whole frames", {"command": "embed", "whole_frame": True})
    return Step(text, (action,), "discover embed --model RUN")


def _cluster(missing: pd.Series) -> Step:
    """Return the step for the classes that have crops and no clusters, the largest first."""
    sizes = missing.sort_values(ascending=False, kind="stable")
    names = [str(name) for name in sizes.index]
    of = ", ".join(f"{count(int(sizes[name]), 'crop')} of {name}" for name in names)
    actions = tuple(
        Action(f"Cluster {name}", {"command": "cluster", "class": name}) for name in names
    )
    return Step(f"Find the kinds among {of}", actions, f"discover cluster --class {names[0]}")


def _place_new(explorer: Explorer, run: ClassRun) -> Step | None:
    """Return the step for crops that came after a run; one of a part of its class takes none."""
    new = new_crops(explorer, run) if run.whole else 0
    if not new:
        return None
    text = f"Place {count(new, 'new crop')} on the map of {run.class_name}, where nothing moves"
    job = {"command": "cluster", "class": run.class_name, "place_new": True}
    command = f"discover cluster --place-new --class {run.class_name}"
    return Step(text, (Action(f"Place new {run.class_name}", job),), command)


def _unnamed(explorer: Explorer, run: ClassRun) -> Step | None:
    crops = explorer.crops(run)
    groups = crops[crops["group"] != NOISE].groupby("group")["label"].agg(["size", "count"])
    left = groups.loc[groups["count"] == 0, "size"]  # no name, and no mark either
    if left.empty:
        return _rest(run.class_name, int(crops["label"].isna().sum()))
    text = (
        f"Name {count(len(left), 'cluster')} of {run.class_name}; "
        f"the largest holds {count(int(left.max()), 'crop')}"
    )
    return Step(text, (Action("Open the queue", href=link("/queue", run=run.name)),))


def _rest(class_name: str, unnamed: int) -> Step | None:
    """Return the step for what no cluster held, where there is enough of it for another look."""
    if unnamed < _REST:
        return None
    job = {"command": "cluster", "class": class_name, "unnamed": True}
    text = f"Look for kinds among {count(unnamed, 'crop')} of {class_name} that have no name yet"
    command = f"discover cluster --class {class_name} --unnamed"
    return Step(text, (Action("Cluster the rest", job),), command)


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
        action = Action("Learn the kinds", {"command": "learn"})
        found.append(Step(text, (action,), "discover learn --out heads/first"))
    waiting = waiting_suggestions(explorer.survey)
    if waiting and runs:
        run = list(runs.values())[-1]
        text = f"Look at {count(waiting, 'suggestion')} of the head: none counts until you take it"
        found.append(Step(text, (Action("Open the queue", href=link("/queue", run=run.name)),)))
    text = f"Take {count(len(human), 'named crop')} along; more formats are under Subcategories"
    taken = [Action("Export as CSV", {"command": "export", "format": "csv"})]
    taken += [Action(f"Report on {name}", {"command": "report", "class": name}) for name in runs]
    found.append(Step(text, tuple(taken), "discover export csv --out labels.csv"))
    return found


def _taught(explorer: Explorer) -> int:
    """Return how many names the latest head was taught, 0 where there is none."""
    run = latest_head(explorer.survey)
    return int(run.info["counts"]["named"]) if run else 0


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
