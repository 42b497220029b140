"""CSV and Parquet: one row a crop with all that is known of it, every column of `records`."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from classify.runs import write_atomic
from discover.export.records import COLUMNS, Records
from discover.export.rows import LabelRow, box, number, time
from discover.naming.database import LabelError
from discover.naming.tree_files import decoded


def write_csv(records: Records, out: Path) -> list[str]:
    """Write the records as CSV in UTF-8; times in UTC, unknown values empty."""
    write_atomic(out, csv_text(_flat(records)).encode())
    return []


def write_parquet(records: Records, out: Path) -> list[str]:
    """Write the records as Parquet."""
    write_atomic(out, records.table[list(COLUMNS)].to_parquet(index=False))
    return []


def csv_text(table: pd.DataFrame) -> str:
    """Return a table as CSV; a number keeps all its digits."""
    return table.to_csv(index=False, lineterminator="\n")


def read_csv(file: Path) -> Iterator[LabelRow]:
    """Yield the labels of a CSV.

    It needs `label` (or `path`), and `crop_id` or `image` with `x, y, w, h`; `status, annotator,
    created_at, confidence, based_on, codes` are taken where they are.

    Raises:
        LabelError: the file is wrong; the message names the row.
    """
    for place, values in csv_rows(file):
        yield _row(place, values, file)


def read_parquet(file: Path) -> Iterator[LabelRow]:
    """Yield the labels of a Parquet file with the columns of `read_csv`."""
    try:
        table = pd.read_parquet(file)
    except (OSError, ValueError) as error:
        raise LabelError(f"FILE {file} is no Parquet file: {error}") from error
    for number_, values in enumerate(table.astype(object).to_dict("records"), 1):
        texts = {str(k): "" if pd.isna(v) else str(v) for k, v in values.items()}
        yield _row(f"FILE {file}: row {number_}", texts, file)


def csv_rows(file: Path, needed: tuple[str, ...] = ()) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the rows of a CSV: where each stands, and its values by the header's names.

    Raises:
        LabelError: it cannot be read, is not UTF-8, lacks a column that is needed, or a row has
            another number of values than the header.
    """
    try:
        text = decoded(file.read_bytes(), f"FILE {file}")
    except OSError as error:
        raise LabelError(f"FILE {file}: {error.strerror}") from error
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = [name.strip() for name in next(rows, [])]
    missing = [name for name in needed if name not in header]
    if missing:
        raise LabelError(
            f"FILE {file} has no column {missing[0]}: it needs {', '.join(needed)} and has "
            f"{', '.join(header) or 'nothing'}"
        )
    for row in rows:
        if not any(value.strip() for value in row):
            continue
        place = f"FILE {file}: row {rows.line_num}"
        if len(row) != len(header):
            raise LabelError(
                f"{place} has {len(row)} values, but the header names {len(header)}: quote values "
                "that hold the delimiter"
            )
        yield place, {n: v.strip() for n, v in zip(header, row, strict=True)}


def _flat(records: Records) -> pd.DataFrame:
    table = records.table[list(COLUMNS)].copy()
    known = table["time_utc"].notna()
    table["time_utc"] = table["time_utc"].astype(object)
    table.loc[known, "time_utc"] = [t.isoformat() for t in table.loc[known, "time_utc"]]
    return table


def _row(place: str, values: dict[str, Any], file: Path) -> LabelRow:
    if "label" not in values and "path" not in values:
        raise LabelError(f"FILE {file} has no column label or path: it has {', '.join(values)}")
    label = values.get("path") or values.get("label")
    if not label:
        raise LabelError(f"{place}: the label is empty: leave the row out, or name it")
    crop = values.get("crop_id") or None
    if crop is None and not values.get("image"):
        raise LabelError(f"{place}: give a crop_id, or an image with x, y, w, h")
    return LabelRow(
        place,
        label,
        crop,
        values.get("image") or None,
        None if crop else box([values.get(n) for n in "xywh"], place),
        annotator=values.get("annotator") or None,
        origin=values.get("status") or None,
        time=time(values.get("created_at"), place),
        confidence=number(values.get("confidence"), "confidence", place),
        based_on=values.get("based_on") or None,
        codes=_codes(values.get("codes"), place),
    )


def _codes(text: str | None, place: str) -> dict[str, str]:
    if not text:
        return {}
    try:
        return {str(k): str(v) for k, v in json.loads(text).items()}
    except (ValueError, AttributeError):
        raise LabelError(
            f'{place}: codes {text!r} is not such as {{"AphiaID": "123776"}}'
        ) from None
