"""Labelled images as a table: from folders of classes, from CSV or from Parquet."""

import difflib
import logging
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from classify.classes import TASKS, class_order, standard_name
from classify.errors import UserError
from classify.images import SUFFIXES
from classify.runs import content_hash, file_hash

log = logging.getLogger(__name__)

DIVE_COLUMNS = ("dive", "video")
PART_COLUMNS = ("split", "fold")
BOTH = ("floor", "elements")
TABLES = (".csv", ".parquet")


class DataError(UserError):
    """Labelled data that cannot be used; the message names the place and the remedy."""


def read_labels(
    data: Path | Sequence[Path],
    *,
    tasks: tuple[str, ...] = ("elements",),
    dive_from: str | None = None,
    aliases: Path | None = None,
    multilabel: bool = False,
) -> pd.DataFrame:
    """Read labelled images.

    A table (CSV or Parquet) has the columns `image`, a label column (`floor`, `element`, or
    `label`) and perhaps `dive` (or `video`), `burst`, and `split` or `fold`, as `discover split`
    writes them; image paths are relative to the table's folder or to `images/` in it. A folder has
    one folder per class; a folder below a class is a dive. For two tasks, give one source for each,
    or one table with both label columns, or a folder that holds the folders `floor` and `elements`.
    An image may be labelled for one task only.

    Args:
        data: the source, or one source a task.
        tasks: "floor", "elements", or both.
        dive_from: regular expression whose first group, found in the image's path, is the dive.
        aliases: CSV with columns `alias, name`: further names of the classes.
        multilabel: several labels an image, parted by "|" in a table; in folders, the same file
            in several folders of classes.

    Returns:
        Columns `path` (absolute), `dive` and `burst` (null where unknown), a column for each task:
        the standard name, several parted by "|", null where unknown; and `part`, the table's
        `split` or `fold` as text, where it has one. Images without any label are left out and
        counted in the log.

    Raises:
        DataError: nothing can be read, a column or file is missing, or a file has two labels.
    """
    sources = _sources([data] if isinstance(data, Path) else list(data), tasks)
    names = _read_aliases(aliases)
    shared = len(sources) > 1 and len(set(sources)) == 1
    there = [task for task in tasks if not shared or _has_column(sources[0], task)] or tasks
    parts = [
        _labels_of_task(source, task, names, multilabel=multilabel, shared=shared)
        for source, task in zip(sources, tasks, strict=True)
        if task in there
    ]
    table = parts[0]
    for part in parts[1:]:
        table = table.merge(part, on="path", how="outer", suffixes=("", "_other"))
        for column in ("dive", "burst", "part"):
            table[column] = table[column].combine_first(table.pop(f"{column}_other"))
    for task in set(tasks) - set(there):  # a table may know one task alone
        table[task] = None
    if dive_from is not None:
        table["dive"] = [_match_dive(path, dive_from) for path in table["path"]]
    given = ["part"] if table["part"].notna().any() else []
    return table[["path", "dive", "burst", *given, *tasks]].reset_index(drop=True)


def class_names(table: pd.DataFrame, tasks: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return the classes of each task that occur in a table of `read_labels`, in order.

    Raises:
        DataError: a task has fewer than two.
    """
    found = {task: class_order(_single(table[task]), task) for task in tasks}
    for task, names in found.items():
        if len(names) < 2:
            raise DataError(f"DATA: {task} needs at least two classes, has {len(names)}")
    return found


def targets(table: pd.DataFrame, heads: dict[str, tuple[str, ...]]) -> npt.NDArray[np.float32]:
    """Return [rows, classes of all heads]: 1 for a label, 0 for none, nan where a task is unknown.

    Raises:
        DataError: a label is no class of its head.
    """
    blocks = []
    for task, names in heads.items():
        rows = [str(cell).split("|") if pd.notna(cell) else None for cell in table[task]]
        unknown = sorted({label for row in rows if row for label in row} - set(names))
        if unknown:
            raise DataError(
                f"DATA: {task} has the label {unknown[0]!r}, which the classifier does not know; "
                f"it knows {', '.join(names)}"
            )
        blocks.append(
            [[np.nan] * len(names) if row is None else [n in row for n in names] for row in rows]
        )
    return np.concatenate([np.asarray(block, np.float32) for block in blocks], axis=1)


def data_hash(table: pd.DataFrame) -> str:
    """Return a hash of the labels and of the files' names and sizes: 16 hex digits."""
    sizes = [Path(path).stat().st_size for path in table["path"]]
    rows = table.assign(path=[Path(path).name for path in table["path"]], size=sizes)
    return content_hash(rows.fillna("").astype(str).to_numpy().tolist(), 16)


def _sources(data: list[Path], tasks: tuple[str, ...]) -> list[Path]:
    if len(data) == len(tasks):
        return data
    if len(data) == 1:
        folder = data[0]
        return [folder / task for task in tasks] if folder.is_dir() else data * len(tasks)
    raise DataError(
        f"DATA: {len(data)} sources for {' and '.join(tasks)}; give one for each, or one for all"
    )


def _labels_of_task(
    source: Path, task: str, names: dict[str, str], *, multilabel: bool, shared: bool
) -> pd.DataFrame:
    """Return columns `path, dive, burst, part` and the task's; one row an image."""
    if source.is_dir():
        table = _read_folders(source)
    elif source.suffix.lower() in TABLES and source.is_file():
        table = _read_table(source, task, shared)
    else:
        raise DataError(
            f"DATA {source} is neither a folder of class folders nor a CSV or Parquet file"
        )
    unlabelled = table["label"].isna()
    if unlabelled.any():
        log.info("%d of %d images have no label and are left out", unlabelled.sum(), len(table))
    table = table[~unlabelled].drop_duplicates().reset_index(drop=True)
    if table.empty:
        raise DataError(f"DATA {source}: no image has a label for {task}")
    table["label"] = [_standard(label, names, multilabel) for label in table["label"]]
    table = _one_row_an_image(table, source, multilabel)
    _note_unknown(table["label"], task)
    return table.rename(columns={"label": task})


def _standard(cell: str, names: dict[str, str], multilabel: bool) -> str:
    labels = str(cell).split("|") if multilabel else [str(cell)]
    standard = [names.get(label.strip().lower(), standard_name(label)) for label in labels]
    return "|".join(sorted({label for label in standard if label}))


def _one_row_an_image(table: pd.DataFrame, source: Path, multilabel: bool) -> pd.DataFrame:
    """Join the labels of one file where several are allowed; elsewhere two labels are an error.

    A copy of a file under another label is the same file.
    """
    content = _content_keys(table["path"])
    labels = table["label"].groupby(content)
    if multilabel:
        joined = labels.transform(lambda cells: "|".join(sorted(set("|".join(cells).split("|")))))
        return table.assign(label=joined)[~content.duplicated()].reset_index(drop=True)
    twice = labels.transform("nunique") > 1
    if twice.any():
        first = table[content == content[twice].iloc[0]].drop_duplicates("label")
        raise DataError(
            f"DATA {source}: {content[twice].nunique()} images have two labels, such as "
            + " and ".join(f"{p} ({c})" for p, c in zip(first["path"], first["label"], strict=True))
            + "; keep one of them, or train with --multilabel"
        )
    return table[~table.duplicated("path")].reset_index(drop=True)


def _content_keys(paths: pd.Series) -> pd.Series:
    """Return a key by path, the same for files of equal content; only equal sizes are hashed."""
    sizes = paths.map(lambda path: Path(path).stat().st_size)
    alike = sizes.groupby(sizes).transform("size") > 1
    keys = paths.copy()
    keys[alike] = [file_hash(Path(path)) for path in paths[alike]]
    return keys


def _note_unknown(labels: pd.Series, task: str) -> None:
    known = TASKS.get(task, ())
    for label, count in _single(labels).value_counts().items():
        close = difflib.get_close_matches(str(label), known, 1, 0.75)
        if label in known:
            continue
        if close:
            log.warning(
                "label %r (%d images) is taken as a class of its own; if %r is meant, "
                "map it with --aliases FILE",
                label,
                count,
                close[0],
            )
        else:
            log.info("%r (%d images) is a class of its own, none of the usual", label, count)


def _single(labels: pd.Series) -> pd.Series:
    return labels.dropna().astype(str).str.split("|").explode()


def _read_aliases(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        table = pd.read_csv(path, dtype=str, skipinitialspace=True)
        pairs = zip(table["alias"], table["name"], strict=True)
        return {alias.strip().lower(): name.strip() for alias, name in pairs}
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise DataError(
            f"--aliases {path} must be a CSV with the columns alias and name ({error})"
        ) from None


def _read_folders(data: Path) -> pd.DataFrame:
    rows = []
    for folder in sorted(p for p in data.iterdir() if p.is_dir() and not p.name.startswith(".")):
        files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
        if not files:
            log.warning("class folder %s holds no images: the class is left out", folder)
        for file in files:
            below = file.relative_to(folder).parts[:-1]
            rows.append((str(file.resolve()), folder.name, below[0] if below else None))
    if not rows:
        raise DataError(f"DATA {data} holds no images: needs one folder per class")
    table = pd.DataFrame(rows, columns=["path", "label", "dive"], dtype=object)
    return table.assign(burst=None, part=None)


def _read_table(data: Path, task: str, shared: bool) -> pd.DataFrame:
    """Read one task's labels; a table that is shared by two tasks has a column named for each."""
    table = _read_any(data)
    own = task.removesuffix("s")
    names = (task, own) if shared else (task, own, "label", "class")
    label = next((c for c in names if c in table.columns), None)
    if "image" not in table.columns or label is None:
        raise DataError(
            f"DATA {data} needs the columns image and {own}{'' if shared else ' (or label)'}; it "
            f" has {', '.join(table.columns)}"
        )
    paths = [_find_image(data.parent, str(name)) for name in table["image"]]
    missing = [n for n, p in zip(table["image"], paths, strict=True) if p is None]
    if missing:
        raise DataError(
            f"DATA {data}: {len(missing)} of {len(table)} images are not there, such as "
            f"{missing[0]!r}; looked in {data.parent} and {data.parent / 'images'}"
        )
    known = {"dive": DIVE_COLUMNS, "burst": ("burst",), "part": PART_COLUMNS}
    found = {name: _as_text(table, columns) for name, columns in known.items()}
    return pd.DataFrame({"path": paths, "label": table[label], **found}, dtype=object)


def _has_column(source: Path, task: str) -> bool:
    table = _read_any(source)
    return task in table.columns or task.removesuffix("s") in table.columns


def _read_any(source: Path) -> pd.DataFrame:
    try:
        return read_csv(source) if source.suffix.lower() == ".csv" else pd.read_parquet(source)
    except (OSError, ValueError) as error:
        raise DataError(f"DATA {source} cannot be read: {error}") from None


def read_csv(file: Path) -> pd.DataFrame:
    """Read a CSV as text; an empty cell is null, and a class may be called "None" or "NA"."""
    return pd.read_csv(file, dtype=str, keep_default_na=False, na_values=[""])


def _as_text(table: pd.DataFrame, columns: tuple[str, ...]) -> pd.Series | None:
    """Return the first of `columns` that the table has."""
    name = next((c for c in columns if c in table.columns), None)
    return None if name is None else table[name].map(str, na_action="ignore")


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
