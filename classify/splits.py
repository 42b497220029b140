"""Splits that keep each dive on one side, and weights by which dives and classes count alike."""

import logging
import warnings

import numpy as np
import numpy.typing as npt
import pandas as pd

from classify.data import DataError

log = logging.getLogger(__name__)

SPLITS = ("dive", "burst", "random", "table")
TRAIN, TEST = "train", ("test", "validation", "val")  # what a column `split` says


def split(
    table: pd.DataFrame,
    tasks: tuple[str, ...],
    *,
    by: str = "dive",
    validation: float = 0.25,
    fold: int = 0,
    seed: int = 0,
) -> npt.NDArray[np.bool_]:
    """Choose rows for validation: whole dives, whole bursts, or single images.

    Args:
        table: columns `dive`, `burst` and one column of labels a task, as `read_labels` gives it.
        tasks: the columns of labels.
        by: "dive", "burst", or "random", which inflates scores: frames of one scene fall on both
            sides; or "table": what the column `part` says, see `held_out`.
        validation: share of the images that is wanted for validation: 1/4 makes four folds.
        fold: which of the folds is held out, from 0.
        seed: seed of the shuffle.

    Returns:
        bool [rows], True where the row is for validation.

    Raises:
        DataError: the groups are unknown, there is only one, or a class would not be trained on.
    """
    if by not in SPLITS:
        raise DataError(f"--split {by!r} is none of {', '.join(SPLITS)}")
    if by != "table":
        _check_share(validation, fold)
        if "part" in table:
            log.warning("DATA has a column split or fold: --split table would take it")
    strata = table[list(tasks)].fillna("").agg(" / ".join, axis=1)
    if by == "table":
        side = held_out(table, fold)
    elif by == "random":
        side = _random_fold(strata, validation, fold, seed)
    else:
        side = _grouped_fold(table, strata, by, validation, fold, seed)
    for task in tasks:
        _check_classes(table[task], side, by)
    return side


def held_out(table: pd.DataFrame, fold: int = 0) -> npt.NDArray[np.bool_]:
    """Return the rows that the table itself holds out, bool [rows].

    Args:
        table: column `part`, as `read_labels` gives it: "train" or "test" throughout, or the
            number of a fold.
        fold: the fold that is held out.

    Raises:
        DataError: the table does not say it of all rows, or has no such fold.
    """
    if "part" not in table:
        raise DataError("--split table: DATA has no column split or fold; `discover split` adds it")
    parts = table["part"].astype("string").str.strip().str.lower()
    if parts.isna().any():
        raise DataError(
            f"--split table: {parts.isna().sum()} of {len(table)} images have no split or fold, "
            f"such as {table['path'][parts.isna()].iloc[0]}"
        )
    if set(parts) <= {TRAIN, *TEST}:
        if fold:
            raise DataError(f"--fold {fold}: the column split of DATA knows train and test only")
        side = parts.isin(TEST)
    else:
        side = _numbers(parts) == fold
    if not side.any():
        known = ", ".join(sorted(set(parts)))
        raise DataError(f"--split table --fold {fold} holds out nothing: DATA has {known}")
    return side.to_numpy(bool)


def _numbers(parts: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(parts, errors="coerce")
    odd = set(parts[numbers.isna()])
    if odd:
        name = min(odd - {TRAIN, *TEST} or odd)
        raise DataError(f"--split table: {name!r} is neither train, test nor the number of a fold")
    return numbers


def inner_parts(
    table: pd.DataFrame, tasks: tuple[str, ...], *, by: str, seed: int, parts: int = 4
) -> list[npt.NDArray[np.integer]]:
    """Return the rows of `table` in parts that share no group, to choose settings by.

    Where there is one group only the parts are random, and what is chosen by them is for that dive.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    strata = table[list(tasks)].fillna("").agg(" / ".join, axis=1)
    if by == "table":
        by = next((c for c in ("dive", "burst") if table[c].notna().all()), "random")
    groups = None if by == "random" else _groups(table, by)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class of fewer images than parts
        if groups is None or groups.nunique() < 2:
            folds = StratifiedKFold(parts, shuffle=True, random_state=seed)
            return [test for _, test in folds.split(strata, strata)]
        grouped = StratifiedGroupKFold(
            min(parts, groups.nunique()), shuffle=True, random_state=seed
        )
        return [test for _, test in grouped.split(strata, strata, groups) if len(test)]


def _check_share(validation: float, fold: int) -> None:
    if not 0.05 <= validation <= 0.5:
        raise DataError(f"--validation {validation} must be between 0.05 and 0.5")
    if not 0 <= fold < round(1 / validation):
        raise DataError(
            f"--fold {fold}: --validation {validation} makes the folds 0 to "
            f"{round(1 / validation) - 1}"
        )


def _random_fold(
    strata: pd.Series, validation: float, fold: int, seed: int
) -> npt.NDArray[np.bool_]:
    from sklearn.model_selection import StratifiedKFold

    folds = StratifiedKFold(round(1 / validation), shuffle=True, random_state=seed)
    return _chosen(list(folds.split(strata, strata))[fold][1], len(strata))


def _grouped_fold(
    table: pd.DataFrame, strata: pd.Series, by: str, validation: float, fold: int, seed: int
) -> npt.NDArray[np.bool_]:
    from sklearn.model_selection import StratifiedGroupKFold

    groups = _groups(table, by)
    number = min(groups.nunique(), round(1 / validation))
    if number < 2:
        raise DataError(f"DATA has one {by} only ({groups.iloc[0]}): a split needs two")
    folds = StratifiedGroupKFold(number, shuffle=True, random_state=seed)
    return _chosen(list(folds.split(strata, strata, groups))[fold % number][1], len(strata))


def _groups(table: pd.DataFrame, by: str) -> pd.Series:
    if table[by].isna().any():
        if by == "dive" and table["burst"].notna().all():
            log.warning("dives are unknown: split by burst")
            return table["burst"].astype(str)
        raise DataError(
            f"DATA has no {by}s: add a `{by}` column, a folder per dive below each class, or "
            "--dive-from REGEX; or ask for --split random, whose score is inflated"
        )
    if by == "burst":  # bursts are numbered within their dive
        return table["dive"].fillna("").astype(str) + "/" + table["burst"].astype(str)
    return table[by].astype(str)


def _chosen(rows: npt.NDArray[np.integer], length: int) -> npt.NDArray[np.bool_]:
    side = np.zeros(length, bool)
    side[rows] = True
    return side


def _check_classes(labels: pd.Series, side: npt.NDArray[np.bool_], by: str) -> None:
    single = labels.dropna().str.split("|").explode()
    held_out = pd.Series(side, labels.index).loc[single.index]
    for label, of_class in held_out.groupby(single.to_numpy()):
        if of_class.all() and by == "table":
            raise DataError(
                f"class {label!r} has no training images in the split of DATA: leave it out, hold "
                "out another --fold, or make another split"
            )
        if of_class.all():
            raise DataError(
                f"class {label!r} is seen in one {by} only, which fell to validation: "
                f"label it in a second {by}, leave it out, or try another --seed"
            )
        if not of_class.any():
            log.warning("class %r has no validation images: its score is unknown", label)


def balanced_weights(labels: pd.Series, dives: pd.Series) -> npt.NDArray[np.float32]:
    """Return weights [rows], mean 1, by which every class counts alike and, in it, every dive.

    The weight of an image is 1 / (dives of its class x images of its dive in that class), so that
    one long dive does not teach the answer. Unknown dives count as one; a row without a label
    weighs nothing.
    """
    keys = pd.DataFrame(
        {"label": labels.fillna("").to_numpy(), "dive": dives.fillna("").to_numpy()}
    )
    images = keys.groupby(["label", "dive"])["label"].transform("size")
    dives_of_class = keys.groupby("label")["dive"].transform("nunique")
    weights = 1.0 / (images * dives_of_class).to_numpy(np.float64)
    weights[keys["label"] == ""] = 0.0
    return np.asarray(weights / weights.mean(), np.float32)


def image_weights(
    table: pd.DataFrame, heads: dict[str, tuple[str, ...]], *, multilabel: bool = False
) -> npt.NDArray[np.float32]:
    """Return the weight of each image for each class of `heads`, [rows, classes].

    With one label an image, that of its class, the same for all classes of a task. With several,
    images with a class and images without it count alike in what is learned of that class.
    """
    columns = []
    for task, classes in heads.items():
        if not multilabel:
            columns += [balanced_weights(table[task], table["dive"])] * len(classes)
            continue
        for name in classes:
            shown = table[task].map(lambda cell, n=name: str(n in cell.split("|")), "ignore")
            columns.append(balanced_weights(shown, table["dive"]))
    return np.stack(columns, axis=1)
