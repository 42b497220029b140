"""Labelled images as a table, and splits that keep each dive on one side."""

import logging
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from classify.classes import standard_name
from classify.errors import UserError
from classify.images import SUFFIXES

log = logging.getLogger(__name__)

LABEL_COLUMNS = ("label", "element", "floor", "class")
DIVE_COLUMNS = ("dive", "video")


class DataError(UserError):
    """Labelled data that cannot be used; the message names the place and the remedy."""


def read_labels(data: Path, *, task: str, dive_from: str | None = None) -> pd.DataFrame:
    """Read labelled images.

    Args:
        data: a CSV with columns `image`, a label column (`label`, or the task's own name, as in
            `element`) and perhaps `dive` (or `video`); image paths are relative to the CSV's folder
            or to `images/` in it. Or a folder with one folder per class; a folder below a class is
            a dive.
        task: "elements" or "floor"; names the label column that is preferred.
        dive_from: regular expression whose first group, found in the image's path, is the dive.

    Returns:
        Columns `path` (absolute), `label` (standard name) and `dive` (null where unknown); rows
        without a label are left out and counted in the log.

    Raises:
        DataError: nothing can be read, a column or file is missing, or a file has two labels.
    """
    if data.is_dir():
        table = _read_folders(data)
    elif data.suffix.lower() == ".csv" and data.is_file():
        table = _read_csv(data, task)
    else:
        raise DataError(f"DATA {data} is neither a folder of class folders nor a CSV file")
    if dive_from is not None:
        table["dive"] = table["path"].map(lambda path: _match_dive(path, dive_from))
    unlabelled = table["label"].isna()
    if unlabelled.any():
        log.info("%d of %d images have no label and are left out", unlabelled.sum(), len(table))
    table = table[~unlabelled].drop_duplicates().reset_index(drop=True)
    table["label"] = table["label"].map(standard_name)
    twice = table[table.duplicated("path", keep=False)]
    if len(twice):
        first = twice[twice["path"] == twice["path"].iloc[0]]
        raise DataError(
            f"DATA {data}: {twice['path'].nunique()} images have two labels, such as "
            f"{first['path'].iloc[0]} ({', '.join(first['label'])}); keep one of them"
        )
    if table["label"].nunique() < 2:
        raise DataError(f"DATA {data}: needs at least two classes, has {table['label'].nunique()}")
    return table


def split_by_dive(
    table: pd.DataFrame, *, validation: float = 0.25, seed: int = 0
) -> npt.NDArray[np.bool_]:
    """Choose whole dives for validation, with classes in about the same shares on both sides.

    Args:
        table: columns `label` and `dive`.
        validation: share of the images that is wanted for validation.
        seed: seed of the shuffle.

    Returns:
        bool [rows], True where the row is for validation.

    Raises:
        DataError: dives are unknown, or there is only one.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    if table["dive"].isna().any():
        raise DataError(
            "DATA has no dives: add a `dive` column, a folder per dive below each class, or "
            "--dive-from REGEX; or ask for --split random, whose score is inflated"
        )
    dives = table["dive"].nunique()
    if dives < 2:
        raise DataError(f"DATA has one dive only ({table['dive'].iloc[0]}): a split needs two")
    folds = min(dives, max(2, round(1 / validation)))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    side = np.zeros(len(table), bool)
    side[next(splitter.split(table, table["label"], table["dive"]))[1]] = True
    for label in sorted(table["label"].unique()):
        if side[table["label"] == label].all():
            raise DataError(
                f"class {label!r} is seen in one dive only, which fell to validation: "
                "label it in a second dive, leave it out, or try another --seed"
            )
        if not side[table["label"] == label].any():
            log.warning("class %r has no validation images: its score is unknown", label)
    return side


def split_randomly(
    table: pd.DataFrame, *, validation: float = 0.25, seed: int = 0
) -> npt.NDArray[np.bool_]:
    """Choose single images for validation. Near-duplicate frames on both sides inflate the score.

    Args, Returns: as `split_by_dive`.
    """
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(table))
    chosen = train_test_split(
        rows, test_size=validation, random_state=seed, stratify=table["label"]
    )[1]
    side = np.zeros(len(table), bool)
    side[chosen] = True
    return side


def balanced_weights(labels: pd.Series, dives: pd.Series) -> npt.NDArray[np.float32]:
    """Return weights [rows], mean 1, by which every class counts alike and, in it, every dive.

    The weight of an image is 1 / (dives of its class x images of its dive in that class), so that
    one long dive does not teach the answer. Unknown dives count as one.
    """
    keys = pd.DataFrame({"label": labels.to_numpy(), "dive": dives.fillna("").to_numpy()})
    images = keys.groupby(["label", "dive"])["label"].transform("size")
    dives_of_class = keys.groupby("label")["dive"].transform("nunique")
    weights = 1.0 / (images * dives_of_class).to_numpy(np.float64)
    return (weights / weights.mean()).astype(np.float32)


def _read_folders(data: Path) -> pd.DataFrame:
    rows = []
    for folder in sorted(p for p in data.iterdir() if p.is_dir() and not p.name.startswith(".")):
        files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
        if not files:
            log.warning("class folder %s holds no images", folder)
        for file in files:
            below = file.relative_to(folder).parts[:-1]
            rows.append((str(file.resolve()), folder.name, below[0] if below else None))
    if not rows:
        raise DataError(f"DATA {data} holds no images: needs one folder per class")
    return pd.DataFrame(rows, columns=["path", "label", "dive"])


def _read_csv(data: Path, task: str) -> pd.DataFrame:
    try:
        table = pd.read_csv(data, dtype=str)
    except (OSError, ValueError) as error:
        raise DataError(f"DATA {data} cannot be read as CSV: {error}") from None
    own = task.removesuffix("s")
    label = next((c for c in (own, *LABEL_COLUMNS) if c in table.columns), None)
    if "image" not in table.columns or label is None:
        raise DataError(
            f"DATA {data} needs the columns image and label; it has {', '.join(table.columns)}"
        )
    dive = next((c for c in DIVE_COLUMNS if c in table.columns), None)
    paths = [_find_image(data.parent, name) for name in table["image"]]
    missing = [n for n, p in zip(table["image"], paths, strict=True) if p is None]
    if missing:
        raise DataError(
            f"DATA {data}: {len(missing)} of {len(table)} images are not there, such as "
            f"{missing[0]!r}; looked in {data.parent} and {data.parent / 'images'}"
        )
    return pd.DataFrame(
        {"path": paths, "label": table[label], "dive": table[dive] if dive else None}
    )


def _find_image(folder: Path, name: str) -> str | None:
    for candidate in (folder / name, folder / "images" / name):
        if candidate.is_file():
            return str(candidate.resolve())
    return None


def _match_dive(path: str, dive_from: str) -> str:
    try:
        match = re.search(dive_from, Path(path).as_posix())
        found = match.group(1) if match else None
    except (re.error, IndexError) as error:
        raise DataError(
            f"--dive-from {dive_from!r} must be a regular expression with a group, such as "
            f"'(dive\\d+)': {error}"
        ) from None
    if not found:
        raise DataError(f"--dive-from {dive_from!r} does not match {path}")
    return found
