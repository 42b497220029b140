"""Splits of a survey's frames into training and test images that share no dive, or no burst.

Near-identical frames on both sides are what inflates scores: see `discover.leaks`.
"""

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from classify.runs import Config
from discover.listed import frames_of, name_from
from discover.naming.burst_verdicts import bursts_so_far
from discover.survey import Survey, SurveyError

log = logging.getLogger(__name__)

GROUPS = ("dive", "burst")
PROVEN = 0.5  # probability from which on two frames show one scene
PREDICTIONS = "predictions"  # instead of a file of labels
Fold = npt.NDArray[np.integer]


@dataclass(frozen=True)
class SplitConfig(Config):
    """How frames are split.

    Attributes:
        by: what is kept on one side: "dive", or "burst" where dives are few: bursts, with all that
            proven pairs tie to them.
        folds: how many parts are held out in turn; 0 makes one test set.
        test: share of the frames that is wanted for testing, where there are no folds.
        seed: of the shuffle.
    """

    by: str = "dive"
    folds: int = 0
    test: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.by not in GROUPS:
            raise SurveyError(f"--by {self.by!r} is none of {', '.join(GROUPS)}")
        if self.folds and self.folds < 2:
            raise SurveyError(f"--folds {self.folds} must be 2 or more")
        if not 0.02 <= self.test <= 0.5:
            raise SurveyError(f"--test {self.test} must be between 0.02 and 0.5")


@dataclass(frozen=True)
class Split:
    """A split, and what its owner should know of it.

    Attributes:
        table: columns `image, label, dive, burst`, and `split` ("train" or "test") or `fold`, from
            0; `predicted` too, where it is balanced by predictions. `classify train --split table`
            takes it.
        notes: sentences on classes that it cannot divide.
    """

    table: pd.DataFrame
    notes: list[str]


def split_frames(
    survey: Survey,
    config: SplitConfig | None = None,
    *,
    labels: Path | None = None,
    task: str = "elements",
    folder: Path | None = None,
) -> Split:
    """Divide the frames of a survey, or those that have a label, so that groups stay whole.

    Stratified by label, as far as whole groups can be (scikit-learn's `StratifiedGroupKFold`).

    Args:
        survey: the survey, with frames; for bursts, with a bursts run.
        config: how; None takes the defaults.
        labels: labelled images as `classify train` takes them, or "predictions": the classes of the
            survey's latest predictions, by which frames are balanced, not labelled.
        task: "elements" or "floor", which the labels are of.
        folder: where the table will be; images below it are named relative to it.

    Raises:
        SurveyError: there are too few groups, there is no bursts run, or no label is of a frame.
    """
    config = config or SplitConfig()
    frames = _with_bursts(survey, _frames(survey), required=config.by == "burst")
    frames = _with_labels(survey, frames, labels, task)
    strata = frames["predicted" if "predicted" in frames else "label"].fillna("")
    groups = frames["dive"].fillna("").astype(str)
    if config.by == "burst":  # bursts are numbered within their dive
        groups = _tied(survey, frames["frame_id"], groups + "/" + frames["burst"].astype(str))
    folds = _folds(strata, groups, config)
    table = _table(survey, frames, folder or Path())
    if config.folds:
        table["fold"] = _numbered(folds, len(frames))
        return Split(table, _lone_classes(strata, groups, config.by))
    test = _test_fold(folds, strata, groups, config)
    table["split"] = np.where(np.isin(np.arange(len(frames)), test), "test", "train")
    return Split(table, _lone_classes(strata, groups, config.by))


def _frames(survey: Survey) -> pd.DataFrame:
    frames = survey.sql('select frame_id, path, dive from frames order by dive, "index", frame_id')
    if frames.empty:
        raise SurveyError(f"--survey {survey.root} has no frames: run `discover add FOLDER` first")
    return frames


def _with_bursts(survey: Survey, frames: pd.DataFrame, *, required: bool) -> pd.DataFrame:
    """Add the column `burst`, null where there is no bursts run and none is needed."""
    if survey.latest("bursts") is None and not required:
        return frames.assign(burst=None)
    found = bursts_so_far(survey)
    bursts = found.table[["frame_id", "burst_id"]].rename(columns={"burst_id": "burst"})
    frames = frames.merge(bursts, on="frame_id", how="left")
    missing = int(frames["burst"].isna().sum())
    if missing and required:
        raise SurveyError(
            f"--by burst: {missing} frames are in no burst of bursts/{found.run}: "
            "run `discover bursts` again"
        )
    return frames


def _tied(survey: Survey, frame_ids: pd.Series, bursts: pd.Series) -> pd.Series:
    """Return groups of bursts: those that a proven pair of frames ties are one.

    A burst is kept small, so that its keyframe stands for it; the next burst still shows a part of
    its scene, and would leak.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    done = [run for run in survey.runs("pairs") if run.is_complete]
    if not done:
        return bursts
    pairs = survey.table("pairs", done[-1].name).read(["frame_a", "frame_b", "proof"]).to_pandas()
    numbers, names = pd.factorize(bursts)
    number_of = dict(zip(frame_ids, numbers, strict=True))
    proven = pairs[pairs["proof"] >= PROVEN]
    ends = proven[["frame_a", "frame_b"]].map(number_of.get).dropna().to_numpy(int).T
    ties = coo_array((np.ones(ends.shape[1]), tuple(ends)), shape=(len(names), len(names)))
    _, group_of = connected_components(ties, directed=False)
    return pd.Series(names[np.unique(group_of, return_index=True)[1]][group_of[numbers]])


def _with_labels(
    survey: Survey, frames: pd.DataFrame, labels: Path | None, task: str
) -> pd.DataFrame:
    """Add the column `label` and keep the frames that have one; or the column `predicted`."""
    if labels is None:
        return frames.assign(label=None)
    if str(labels) == PREDICTIONS:
        return frames.assign(label=None).merge(_predicted(survey, task), on="frame_id", how="left")
    from classify.data import read_labels

    named = read_labels(labels, tasks=(task,))
    named["frame_id"] = frames_of(survey, named["path"].tolist(), labels.parent)
    unknown = int(named["frame_id"].isna().sum())
    if unknown == len(named):
        raise SurveyError(
            f"--labels {labels} names no frame of {survey.root}, such as {named['path'][0]}"
        )
    if unknown:
        log.warning("%d of %d labelled images are no frames of the survey", unknown, len(named))
    labelled = named.rename(columns={task: "label"})[["frame_id", "label"]]
    return frames.merge(labelled.dropna().drop_duplicates("frame_id"), on="frame_id")


def _predicted(survey: Survey, task: str) -> pd.DataFrame:
    run = survey.run("predictions")
    table = survey.table("predictions", run.name).read().to_pandas()
    table = table[table["task"] == task]
    if table.empty:
        raise SurveyError(f"--labels predictions: predictions/{run.name} say nothing of {task}")
    classes = table.groupby("frame_id")["class"].agg(lambda found: "|".join(sorted(found)))
    return classes.rename("predicted").reset_index()


def _folds(strata: pd.Series, groups: pd.Series, config: SplitConfig) -> list[Fold]:
    """Return the rows of each fold."""
    from sklearn.model_selection import StratifiedGroupKFold

    there = groups.nunique()
    if there < max(2, config.folds):
        remedy = "; try --by burst" if config.by == "dive" else ""
        raise SurveyError(
            f"--by {config.by}: there {'is' if there == 1 else 'are'} {there} {config.by}"
            f"{'s' * (there != 1)}, too few for {config.folds or 2} parts{remedy}"
        )
    number = config.folds or min(there, round(1 / config.test))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class of fewer frames than folds
        folds = StratifiedGroupKFold(number, shuffle=True, random_state=config.seed)
        return [test for _, test in folds.split(strata, strata, groups)]


def _test_fold(
    folds: list[Fold], strata: pd.Series, groups: pd.Series, config: SplitConfig
) -> Fold:
    """Return the fold of about the size wanted that leaves every class something to train on."""
    fit: list[tuple[int, float, int, Fold]] = []
    for rows in folds:
        rest = np.delete(np.arange(len(strata)), rows)
        if len(rows) and set(strata) == set(strata.iloc[rest]):
            missing = len(set(strata)) - len(set(strata.iloc[rows]))
            fit.append((missing, abs(len(rows) / len(strata) - config.test), len(fit), rows))
    if not fit:
        raise SurveyError(
            f"--by {config.by}: every test set would take all frames of a class. "
            + " ".join(_lone_classes(strata, groups, config.by))
        )
    return min(fit, key=lambda found: found[:3])[3]


def _lone_classes(strata: pd.Series, groups: pd.Series, by: str) -> list[str]:
    """Return a sentence on each class that one group alone shows."""
    notes = []
    for name, where in groups.groupby(strata):
        if where.nunique() == 1 and name:
            notes.append(
                f"class {name!r} is seen in one {by} only ({where.iloc[0]}): it cannot be trained "
                f"and tested on; label it in a second {by}, or leave it out"
            )
    return notes


def _numbered(folds: list[Fold], length: int) -> Fold:
    numbers = np.zeros(length, np.int64)
    for number, rows in enumerate(folds):
        numbers[rows] = number
    return numbers


def _table(survey: Survey, frames: pd.DataFrame, folder: Path) -> pd.DataFrame:
    images = [name_from(survey.frame_path(path), folder) for path in frames["path"]]
    columns = ["label", "dive", "burst", *(["predicted"] if "predicted" in frames else [])]
    return pd.concat([pd.Series(images, name="image"), frames[columns]], axis=1)
