"""A frame with its layers, what lies beside it, and the frames before and after."""

from typing import Any

import dash_mantine_components as dmc
import numpy as np
import pandas as pd
from dash import dcc, html
from dash.development.base_component import Component

from app import ids
from app.crops.state import group_text
from app.data import Explorer
from app.frames.data import FramesData, frames_data
from app.frames.images import colours_of, size_of
from app.parts import link, name_badge
from classify.images import ImageError

_SIZES = (640, 960, 1280, 1920)
_NEAR_TOP = 0.04  # of the height: the name of a box so high stands inside it
_FACTS = {  # column -> what it is called, and how it is written
    "time_utc": ("time (UTC)", "{:%Y-%m-%d %H:%M:%S}"),
    "depth_m": ("depth", "{:,.1f} m"),
    "altitude_m": ("altitude", "{:,.1f} m"),
    "lat": ("latitude", "{:.6f}\u00b0"),
    "lon": ("longitude", "{:.6f}\u00b0"),
    "yaw_deg": ("heading", "{:.0f}\u00b0"),
    "area_m2": ("floor in view", "{:,.2f} m\u00b2"),
    "video": ("video", "{}"),
    "video_s": ("in the video", "{:,.2f} s"),
    "sharpness": ("sharpness", "{:,.0f}"),
    "brightness": ("brightness", "{:,.0f}"),
}


def stage(
    data: FramesData, frame_id: str, run: str | None, crops: pd.DataFrame | None, chosen: str | None
) -> Component:
    """Show the frame with its layers: heat map, masks, boxes, each over the one before.

    Args:
        data: of the survey.
        frame_id: the frame.
        run: the run that cut its crops, if any.
        crops: see `FramesData.crops`.
        chosen: the crop that is marked.
    """
    address = f"/frame-image/{frame_id}"
    try:
        width, height = size_of(data, frame_id)
    except ImageError:
        missing = html.Img(src=address, alt="The frame is missing or unreadable")
        return html.Div(missing, className="frame-stage")
    layers: list[Component] = [
        html.Img(
            src=f"{address}?size=1280",
            srcSet=", ".join(f"{address}?size={s} {s}w" for s in _SIZES),
            sizes="(min-width: 1181px) calc(100vw - 400px), 100vw",
            alt=f"Frame {frame_id}",
            className="frame-picture",
        )
    ]
    if run and crops is not None and len(crops):
        masks = f"/frame-masks/{run}/{frame_id}"
        layers += [
            html.Img(className="frame-layer heat", alt="", hidden=True),
            html.Img(src=masks, className="frame-layer masks", alt=""),
            html.Div(
                _boxes(crops, colours_of(data, run), width, height, chosen), className="boxes"
            ),
        ]
    return html.Div(
        layers,
        className="frame-stage",
        style={"--ratio": f"{width / height:.4f}"},
        **{"data-heat": f"/frame-heat/{run}/{frame_id}"},
    )


def beside(
    explorer: Explorer,
    row: dict[str, Any],
    run: str | None,
    crops: pd.DataFrame | None,
    chosen: str | None,
) -> list[Component]:
    """Show the switches of the layers, the crops, what a classifier says, where and when.

    Args:
        explorer: the survey.
        row: of the frames table.
        run: the run that cut its crops, if any.
        crops: see `FramesData.crops`.
        chosen: the crop that is marked.
    """
    data = frames_data(explorer)
    return [
        _switches(data, run, str(row["frame_id"])),
        html.Section(
            [html.H2("Crops"), *_crops(explorer, data, run, crops, chosen)], className="panel"
        ),
        _predictions(data.predictions(str(row["frame_id"]))),
        html.Section([html.H2("Where and when"), _facts(row)], className="panel"),
    ]


def neighbours(around: pd.DataFrame, frame_id: str) -> Component:
    """Show the frames before and after in time; `around` is of `Frames.around`."""
    tiles = []
    for row in around.itertuples():
        own = row.frame_id == frame_id
        tiles.append(
            dcc.Link(
                [
                    html.Img(src=f"/frame-image/{row.frame_id}?size=240", alt=""),
                    html.Span(f"frame {row.index}", className="note numbers"),
                ],
                href=link("/frame", frame=row.frame_id),
                className="neighbour own" if own else "neighbour",
                title=f"Frame {row.index}" + (" (shown)" if own else ""),
            )
        )
    return html.Nav(tiles, className="neighbours", **{"aria-label": "Frames before and after"})


def label_of(names: pd.DataFrame, crop: str) -> Component:
    """Show the label of a crop; `names` is of `Explorer.names`, by crop_id."""
    if crop not in names.index:
        return html.Span("unnamed", className="name none")
    return name_badge(str(names.at[crop, "name"]), str(names.at[crop, "origin"]))


def _boxes(
    crops: pd.DataFrame, colours: dict[str, str], width: int, height: int, chosen: str | None
) -> list[Component]:
    """Return a box for each crop, the large first, so that none lies under a larger one."""
    area = crops["w"].astype("int64") * crops["h"]
    made = []
    for row in crops.iloc[np.argsort(-area.to_numpy(), kind="stable")].to_dict("records"):
        sides = {"left": ("x", width), "top": ("y", height), "width": ("w", width),
                 "height": ("h", height)}  # fmt: skip
        style = {side: f"{100 * row[c] / whole:.3f}%" for side, (c, whole) in sides.items()}
        states = {"chosen": row["crop_id"] == chosen, "high": row["y"] < _NEAR_TOP * height}
        made.append(
            html.Button(
                html.Span(row["class"]),
                className=" ".join(["box", *(name for name, on in states.items() if on)]),
                style={**style, "--class": colours[row["class"]]},
                **{"data-crop": row["crop_id"], "aria-label": f"Crop of {row['class']}"},
            )
        )
    return made


def _switches(data: FramesData, run: str | None, frame_id: str) -> Component:
    rows = data.masks_and_heats(run, frame_id) if run else []
    heats = sorted({row["class"] for row in rows if row["heat"] is not None})
    layers = dmc.CheckboxGroup(
        id=ids.FRAME_LAYERS,
        value=["boxes", "masks"],
        children=dmc.Group(
            [dmc.Checkbox(label="Boxes (B)", value="boxes", size="xs"),
             dmc.Checkbox(label="Masks (M)", value="masks", size="xs")]
        ),
    )  # fmt: skip
    heat = html.Div(
        [
            html.Span("Heat map (H)", className="note"),
            dmc.Slider(
                id=ids.FRAME_HEAT, value=0, min=0, max=100, step=5, size="sm", w=88,
                label=None, thumbLabel="Opacity of the heat map", restrictToMarks=False,
            ),
            dmc.Select(
                id=ids.FRAME_CLASS,
                data=heats,
                value=heats[0] if heats else None,
                size="xs",
                w=104,
                allowDeselect=False,
                **{"aria-label": "Class of the heat map"},
            ),
        ],
        className="frame-heat",
        style=None if heats else {"display": "none"},
    )  # fmt: skip
    return html.Section([layers, heat], className="panel frame-switches")


def _crops(
    explorer: Explorer,
    data: FramesData,
    run: str | None,
    crops: pd.DataFrame | None,
    chosen: str | None,
) -> list[Component]:
    if run is None:
        return [html.P("No crops yet: run `discover embed`.", className="note")]
    if crops is None or crops.empty:
        return [html.P("Nothing was found in this frame.", className="note")]
    colours, clusters = colours_of(data, run), _clusters(explorer, run, crops)
    return [
        html.Div(
            [
                html.Img(src=f"/image/{row['crop_id']}?kind=crop&size=96&run={run}", alt=""),
                html.Div(
                    [
                        html.Div(
                            [
                                html.Span(
                                    className="class-dot", style={"--class": colours[row["class"]]}
                                ),
                                html.Span(row["class"], className="strong"),
                                html.Span(f"{row['score']:.2f}", className="note numbers"),
                            ],
                            className="crop-line",
                        ),
                        html.Div(id={"type": ids.FRAME_LABELS, "crop": row["crop_id"]}),
                        clusters.get(row["crop_id"]),
                    ]
                ),
            ],
            className="frame-crop chosen" if row["crop_id"] == chosen else "frame-crop",
            **{"data-crop": row["crop_id"]},
        )
        for row in crops.to_dict("records")
    ]


def _clusters(explorer: Explorer, run: str, crops: pd.DataFrame) -> dict[str, Component]:
    """Return a link to the cluster of each crop, in the latest run of its class."""
    found: dict[str, Component] = {}
    runs = sorted(explorer.class_runs(), key=lambda r: r.whole)  # a whole class before a part of it
    latest = {r.class_name: r for r in runs if r.crops_run == run}
    for class_name, own in crops.groupby("class", observed=True):
        of_class = latest.get(str(class_name))
        if of_class is None:
            continue
        rows = explorer.crops(of_class)
        rows = rows[rows["crop_id"].isin(own["crop_id"].tolist())]
        for crop, number in zip(rows["crop_id"], rows["group"], strict=True):
            group = group_text(int(number))
            words = "noise" if group == "-1" else f"cluster {group}"
            href = link("/cluster", run=of_class.name, group=group)
            found[str(crop)] = dcc.Link(f"{words} \u203a", href=href, className="quiet-link")
    return found


def _predictions(rows: pd.DataFrame) -> Component | None:
    if rows.empty:
        return None
    cells = [
        html.Tr(
            [
                html.Td(row["task"], className="note"),
                html.Td(row["class"]),
                html.Td(f"{row['probability']:.2f}", className="numbers"),
                html.Td("" if row["sure"] else "not sure", className="note"),
            ]
        )
        for row in rows.to_dict("records")
    ]
    return html.Section(
        [html.H2("The classifier"), html.Table(html.Tbody(cells), className="list")],
        className="panel",
    )


def _facts(row: dict[str, Any]) -> Component:
    flags = ", ".join(row["flags"] or []) or "none"
    known = [("dive", str(row["dive"] or "none")), ("index", str(row["index"]))]
    known += [
        (words, form.format(row[column]))
        for column, (words, form) in _FACTS.items()
        if row.get(column) is not None and row[column] == row[column]
    ]
    size = f"{row['width']} \u00d7 {row['height']}" if row["width"] else "unknown"
    known += [("size", size), ("flags", flags), ("file", str(row["path"])), ("id", row["frame_id"])]
    return html.Dl([part for words, said in known for part in (html.Dt(words), html.Dd(said))])
