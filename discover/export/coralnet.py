"""CoralNet: a point for each crop, and the labelset, with short codes of at most 10 characters."""

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from classify.runs import write_atomic
from discover.export.records import Records
from discover.export.rows import LabelRow, number
from discover.export.shapes import inner_point
from discover.export.tables import csv_rows, csv_text

NEEDED = ("Name", "Row", "Column", "Label code")
_LONGEST = 10
_LABELSET = "labelset.csv"


def write_coralnet(records: Records, out: Path) -> list[str]:
    """Write `annotations.csv` and `labelset.csv` into the folder `out`.

    A point is the pixel deepest inside the crop's mask; rows and columns count from 0. The label id
    is CoralNet's own: the code `CoralNet` of the subcategory.
    """
    rows = records.rows()
    codes = short_codes(sorted({row["label"] for row in rows}))
    points = [(row, *inner_point(row)) for row in rows]
    made = pd.DataFrame(
        [(row["image"], y, x, codes[row["label"]]) for row, x, y in points], columns=list(NEEDED)
    )
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "annotations.csv", csv_text(made).encode())
    nodes = {row["label"]: records.tree.nodes[row["subcategory"]] for row in rows}
    ids = {name: node.codes.get("CoralNet", "") for name, node in sorted(nodes.items())}
    labelset = [(ids[name], codes[name], name) for name in ids]
    columns = ["Label ID", "Short Code", "Name"]
    write_atomic(out / _LABELSET, csv_text(pd.DataFrame(labelset, columns=columns)).encode())
    missing = [name for name, code in ids.items() if not code]
    if not missing:
        return records.left_out()
    return [
        *records.left_out(),
        f"{len(missing)} labels, such as {missing[0]!r}, have no CoralNet id: give them the code "
        "CoralNet (discover label tree add NAME --code CoralNet=ID)",
    ]


def read_coralnet(file: Path) -> Iterator[LabelRow]:
    """Yield the labels of CoralNet's annotations (the CSV, or the folder that `write` made).

    Short codes are read as the names that `labelset.csv` beside the file gives them, if it does.

    Raises:
        LabelError: the file is wrong; the message names the row.
    """
    file = file / "annotations.csv" if file.is_dir() else file
    labelset = file.with_name(_LABELSET)
    names = {}
    if labelset.is_file():
        rows = csv_rows(labelset, ("Short Code",))
        names = {row["Short Code"]: row.get("Name") or row["Short Code"] for _, row in rows}
    for place, row in csv_rows(file, NEEDED):
        code = row["Label code"]
        x, y = (number(row[name], name, place) for name in ("Column", "Row"))
        yield LabelRow(place, names.get(code, code), image=row["Name"], point=(x or 0, y or 0))


def short_codes(names: list[str]) -> dict[str, str]:
    """Return a code of at most 10 letters and digits for each name, no two the same."""
    codes: dict[str, str] = {}
    for name in names:
        words = re.findall(r"\w+", name.rpartition(" > ")[2]) or ["label"]
        code = base = "_".join(word[:4] for word in words)[:_LONGEST]
        count = 1
        while code.casefold() in {c.casefold() for c in codes.values()}:
            count += 1
            code = f"{base[: _LONGEST - len(str(count))]}{count}"
        codes[name] = code
    return codes
