"""Proven pairs that a split of the survey's frames puts on both sides, in a table."""

from collections.abc import Hashable, Mapping
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
from dash import html
from dash.development.base_component import Component

from app import ids
from app.data import Explorer
from app.frames.data import frames_data
from app.parts import command_line
from discover.leaks import Leaks, find_leaks, leak_lines
from discover.survey import Survey, SurveyError

MOST_ROWS = 200
_SIDES = {"split", "fold", "validation"}


def split_file(survey: Survey) -> Path | None:
    """Return the latest table in the survey's folder that says on which side images are."""
    files = [p for p in survey.root.iterdir() if p.suffix in (".csv", ".parquet")]
    splits = [p for p in files if _is_split(p)]
    return max(splits, key=lambda p: (p.stat().st_mtime, p.name), default=None)


def leaks_panel(explorer: Explorer) -> Component:
    """Return the panel; what leaks is looked for when a person asks."""
    file = split_file(explorer.survey)
    if file is None:
        folder = explorer.survey.root.resolve()
        inside = [
            html.P("There is no split in this survey's folder yet.", className="note"),
            command_line(f"discover split --survey {folder} --out {folder / 'split.csv'}"),
        ]
    else:
        inside = [
            html.Button(f"Look for leaks in {file.name}", id=ids.BURSTS_LOOK, className="tool"),
            html.Div(id=ids.BURSTS_LEAKS),
        ]
    return html.Section(
        [
            html.H2("Leaks between splits"),
            html.P(
                "Frames of one scene that are trained on and tested on make scores look better "
                "than they are.",
                className="note",
            ),
            *inside,
        ],
        className="panel leaks",
    )


def leaks_rows(explorer: Explorer) -> Component:
    """Return the proven pairs that cross the split, the surest first."""
    file = split_file(explorer.survey)
    if file is None:
        return html.P("The split is no longer in the survey's folder.", className="note")
    try:
        found = find_leaks(explorer.survey, file)
    except SurveyError as error:
        return html.P(str(error), className="note")
    lines = [html.P(line, className="note") for line in leak_lines(found)]
    if found.pairs.empty:
        return html.Div(lines)
    note = None
    if len(found.pairs) > MOST_ROWS:
        note = html.P(
            f"The surest {MOST_ROWS} of {len(found.pairs):,} pairs; `discover leaks {file.name}` "
            "writes all of them.",
            className="note",
        )
    return html.Div([*lines, _table(explorer, found), note])


def _table(explorer: Explorer, found: Leaks) -> Component:
    head = ("Held out", "part", "Trained on", "part", "Same", "Probability", "Points", "")
    pairs = found.pairs.head(MOST_ROWS)
    frame = _frames(explorer, pairs)
    rows = []
    for row in pairs.to_dict("records"):
        ids_of = [frame.get((row[f"path_{s}"], row[f"dive_{s}"])) for s in "ab"]
        points = "" if row["inliers"] != row["inliers"] else f"{int(row['inliers']):,}"
        cells = [
            row["image_a"], row["part_a"], row["image_b"], row["part_b"], row["same"],
            f"{row['proof']:.2f}", points, _look(row, ids_of),
        ]  # fmt: skip
        rows.append(html.Tr([html.Td(cell) for cell in cells]))
    return html.Div(
        html.Table(
            [html.Thead(html.Tr([html.Th(h) for h in head])), html.Tbody(rows)],
            className="list leak-list",
        ),
        className="leak-scroll",
        tabIndex=0,
        role="region",
        **{"aria-label": "Pairs that cross the split"},
    )


def _look(row: Mapping[Hashable, object], frames: list[str | None]) -> Component | None:
    if None in frames:
        return None
    return html.Button(
        "proof",
        className="proof-button",
        **{
            "data-proof": f"{frames[0]} {frames[1]}",
            "aria-label": f"Proof of {row['image_a']} and {row['image_b']}",
        },
    )


def _frames(explorer: Explorer, pairs: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Return the frame of each file and dive that the pairs name."""
    paths = sorted({*pairs["path_a"], *pairs["path_b"]})
    marks = ", ".join("?" * len(paths))
    query = f"select frame_id, path, dive from frames where path in ({marks})"
    rows = frames_data(explorer).survey.sql(query, paths).to_dict("records")
    return {(row["path"], row["dive"]): str(row["frame_id"]) for row in rows}


def _is_split(file: Path) -> bool:
    try:
        if file.suffix == ".parquet":
            columns = set(pq.read_schema(file).names)
        else:
            columns = set(pd.read_csv(file, nrows=0).columns)
    except (OSError, ValueError):
        return False  # some other file
    return "image" in columns and bool(columns & _SIDES)
