# mypy: disable-error-code="untyped-decorator"
"""Frame: one whole frame, what was found in it, its neighbours in time, where and when it is."""

from typing import Any

from dash import ALL, ClientsideFunction, Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from app import ids
from app.data import Explorer
from app.frames import images as frame_images
from app.frames.data import FramesData, frames_data
from app.pages.frame_parts import beside, label_of, neighbours, stage
from app.parts import Query, empty_state, link

REACH = 6  # frames before and after in the strip


def layout(explorer: Explorer, query: Query) -> Component:
    """Return the page."""
    data = frames_data(explorer)
    runs = explorer.crops_runs()
    latest = runs[0] if runs else None
    run = query["run"] if query.get("run") in runs else latest  # that of a crop, or of clusters
    frame_id = query.get("frame") or _frame_of_crop(data, run, query.get("crop"))
    row = data.frame(frame_id) if frame_id else None
    if frame_id is None or row is None:
        return _no_frame(data, query)
    crops = data.crops(run, frame_id) if run else None
    place = int(data.frames().places([frame_id])[0])
    return html.Div(
        [
            dcc.Store(id=ids.FRAME_PLACE, data={"frame": frame_id, "crop": query.get("crop")}),
            dcc.Store(id=ids.FRAME_DRAWN),
            html.Div(_heading(data, place, row), className="bar"),
            html.Div(
                [
                    html.Div(
                        [
                            stage(data, frame_id, run, crops, query.get("crop")),
                            neighbours(data.frames().around(place, REACH), frame_id),
                        ]
                    ),
                    html.Aside(beside(explorer, row, run, crops, query.get("crop"))),
                ],
                className="frame-halves",
            ),
        ],
        className="page frame-page",
    )


def register(app: Dash, explorer: Explorer) -> None:
    """Serve the pictures, keep the labels true, and let the browser switch layers."""
    frame_images.register(app.server, explorer)

    @app.callback(
        Output({"type": ids.FRAME_LABELS, "crop": ALL}, "children"),
        Input(ids.EVENT, "data"),
        State({"type": ids.FRAME_LABELS, "crop": ALL}, "id"),
    )
    def labels(_event: int, shown: list[dict[str, str]]) -> list[object]:
        names = explorer.names()
        wanted = [component["crop"] for component in shown]
        found = names[names["crop_id"].isin(wanted)].set_index("crop_id")
        return [label_of(found, crop) for crop in wanted]

    app.clientside_callback(
        ClientsideFunction("frame", "layers"),
        Output(ids.FRAME_DRAWN, "data"),
        Input(ids.FRAME_LAYERS, "value"),
        Input(ids.FRAME_HEAT, "value"),
        Input(ids.FRAME_CLASS, "value"),
    )


def _frame_of_crop(data: FramesData, run: str | None, crop: str | None) -> str | None:
    return data.frame_of(run, crop) if run and crop else None


def _no_frame(data: FramesData, query: Query) -> Component:
    if not data.frames().starts:
        return empty_state(
            "There are no frames yet", "Add images or videos first.", "discover add FOLDER"
        )
    what = query.get("frame") or query.get("crop")
    text = f"The survey has no frame or crop {what!r}." if what else "Open one from a burst."
    return empty_state("There is no such frame", text, None)


def _heading(data: FramesData, place: int, row: dict[str, Any]) -> list[Component]:
    around = data.frames().around(place, 1)
    at = around["frame_id"].tolist().index(row["frame_id"])
    turners: list[Component] = []
    for step, sign, words in (
        (-1, "\u2039", "Frame before (\u2190)"),
        (1, "\u203a", "Frame after (\u2192)"),
    ):
        if 0 <= at + step < len(around):
            other = around["frame_id"].iat[at + step]
            which = "before" if step < 0 else "after"
            turners.append(
                dcc.Link(
                    sign, href=link("/frame", frame=other), title=words,
                    className=f"round frame-{which}",
                )
            )  # fmt: skip
        else:
            turners.append(html.Span(sign, className="round off"))
    dive = row["dive"] or "no dive"
    return [
        *turners,
        html.H1(["Frame ", str(row["index"]), " of ", html.Em(dive)]),
        html.Div(className="spring"),
        _burst_link(data, place),
    ]


def _burst_link(data: FramesData, place: int) -> Component:
    bursts = data.bursts()
    if bursts is None:
        return html.Span("no bursts yet", className="note")
    at = int(data.in_bursts(bursts)[place])
    if at < 0:
        return html.Span("in no burst", className="note")
    burst = str(bursts.table["burst_id"].iat[at])
    count = int((bursts.table["burst_id"] == burst).sum())
    words = "alone in its burst" if count == 1 else f"in a burst of {count:,} frames"
    dive = data.frames().table["dive"].iat[place]
    show = "all" if count == 1 else "many"
    href = link("/bursts", dive=dive, burst=burst, show=show)
    return dcc.Link(words, href=href, className="tool")
