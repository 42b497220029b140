"""The time line of a dive: its frames, its bursts, its depth, in a payload that stays small."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app import palette

MOST_MARKS = 3000  # frames that are drawn one by one; of more, their numbers are
_BINS = 400
Rows = npt.NDArray[np.intp]
BURST, ACCEPTED, OPEN, KEY = palette.COLOURS[4], palette.COLOURS[2], "#d55e00", "#e69f00"


def time_line(
    frames: pd.DataFrame,
    stacks: pd.DataFrame,
    *,
    opened: str | None = None,
    view: tuple[object, object] | None = None,
) -> go.Figure:
    """Draw a dive; the burst of each mark and bar rides in `customdata`.

    Args:
        frames: of the dive, in order: `index, time_utc, depth_m, burst_id, keyframe`.
        stacks: see `app.frames.stacks.stacks_of`.
        opened: the burst that is shown open.
        view: the part of the axis that is in view; None is all of it.
    """
    x, is_time = axis_of(frames)
    inside = _within(x, view, is_time)
    has_depth = bool(frames["depth_m"].notna().any())
    figure = make_subplots(
        rows=1 + has_depth, cols=1, shared_xaxes=True, vertical_spacing=0.06,
        row_heights=[0.6, 0.4] if has_depth else [1.0],
    )  # fmt: skip
    rows = np.flatnonzero(inside)
    if len(rows) <= MOST_MARKS:
        _add_bursts(figure, x, is_time, stacks, rows, opened)
        _add_frames(figure, x, frames, rows, set(stacks.index[stacks["frames"] > 1]))
    else:
        _add_numbers(figure, x, frames, rows)
    if has_depth:
        _add_depth(figure, x, frames, rows)
    return _laid_out(figure, is_time, has_depth, len(rows) <= MOST_MARKS)


def axis_of(frames: pd.DataFrame) -> tuple[pd.Series, bool]:
    """Return where each frame is on the axis, and whether that is a time: else it is the index."""
    times = frames["time_utc"]
    if len(times) and times.notna().all() and times.nunique() > 1:
        return times.dt.tz_localize(None).reset_index(drop=True), True
    return frames["index"].reset_index(drop=True), False


def _within(
    x: pd.Series, view: tuple[object, object] | None, is_time: bool
) -> npt.NDArray[np.bool_]:
    if view is None:
        return np.ones(len(x), bool)
    low, high = (pd.Timestamp(str(v)) if is_time else float(str(v)) for v in view)
    return x.between(low, high).to_numpy(bool)


def _add_bursts(
    figure: go.Figure, x: pd.Series, is_time: bool, stacks: pd.DataFrame, rows: Rows,
    opened: str | None,
) -> None:  # fmt: skip
    """Add a bar from the first frame of each burst to its last; of those that lie in view."""
    several = stacks[(stacks["frames"] > 1) | (stacks.index == opened)]
    if len(rows):
        several = several[(several["last"] >= rows[0]) & (several["first"] <= rows[-1])]
    start, end = (x.iloc[several[c]].reset_index(drop=True) for c in ("first", "last"))
    least = _step(x) * 0.5  # a frame alone has a width too
    colour = np.where(several["accepted"], ACCEPTED, BURST)
    colour = np.where(several.index == opened, OPEN, colour)
    said = np.where(several["accepted"], "accepted", "not checked")
    width = (end - start) + least
    figure.add_trace(
        go.Bar(
            base=list(_plain(start - least / 2)),
            x=(width.dt.total_seconds() * 1000 if is_time else width).tolist(),
            y=["bursts"] * len(several),
            orientation="h",
            width=0.8,
            marker={"color": colour.tolist(), "line": {"width": 0}, "opacity": 0.75},
            customdata=list(zip(several.index, several["frames"], said, strict=True)),
            hovertemplate="burst of %{customdata[1]} frames, %{customdata[2]}<extra></extra>",
        ),
        row=1,
        col=1,
    )


def _add_frames(
    figure: go.Figure, x: pd.Series, frames: pd.DataFrame, rows: Rows, several: set[str]
) -> None:
    """Add a mark for each frame; a frame alone is not told to be its own keyframe."""
    keyframe = (frames["keyframe"] & frames["burst_id"].isin(several)).to_numpy(bool)[rows]
    index, burst = frames["index"].to_numpy()[rows], frames["burst_id"].to_numpy()[rows]
    for own, what, mark in (
        (~keyframe, "frame", {"color": palette.NOISE, "size": 7, "symbol": "line-ns-open"}),
        (keyframe, "keyframe", {"color": KEY, "size": 8, "symbol": "diamond"}),
    ):
        figure.add_trace(
            go.Scattergl(
                x=list(_plain(x.iloc[rows[own]])),
                y=["frames"] * int(own.sum()),
                mode="markers",
                marker=mark,
                customdata=list(zip(burst[own], index[own].tolist(), strict=True)),
                hovertemplate=what + " %{customdata[1]}<extra></extra>",
            ),
            row=1,
            col=1,
        )


def _add_numbers(figure: go.Figure, x: pd.Series, frames: pd.DataFrame, rows: Rows) -> None:
    """Add how many frames and bursts each part of the axis has; a part stands for its first."""
    parts = np.arange(len(rows)) * _BINS // len(rows)
    table = pd.DataFrame({"part": parts, "row": rows, "burst": frames["burst_id"].to_numpy()[rows]})
    found = table.groupby("part").agg(
        row=("row", "first"), frames=("row", "size"), bursts=("burst", "nunique"),
        burst=("burst", "first"),
    )  # fmt: skip
    hover = "%{customdata[1]} frames in %{customdata[2]} bursts: zoom in<extra></extra>"
    figure.add_trace(
        go.Scattergl(
            x=list(_plain(x.iloc[found["row"]])),
            y=(found["frames"] / found["bursts"].clip(lower=1)).round(2).tolist(),
            mode="lines",
            line={"color": BURST, "width": 1.5, "shape": "hv"},
            fill="tozeroy",
            customdata=found[["burst", "frames", "bursts"]].to_numpy().tolist(),
            hovertemplate=hover,
        ),
        row=1,
        col=1,
    )


def _add_depth(figure: go.Figure, x: pd.Series, frames: pd.DataFrame, rows: Rows) -> None:
    if len(rows) > MOST_MARKS:
        rows = rows[:: -(-len(rows) // MOST_MARKS)]
    depth = frames["depth_m"].iloc[rows]
    figure.add_trace(
        go.Scattergl(
            x=list(_plain(x.iloc[rows])),
            y=[None if value != value else round(value, 2) for value in depth.tolist()],
            mode="lines",
            line={"color": palette.COLOURS[0], "width": 1.5},
            hovertemplate="%{y} m deep<extra></extra>",
        ),
        row=2,
        col=1,
    )


def _laid_out(figure: go.Figure, is_time: bool, has_depth: bool, one_by_one: bool) -> go.Figure:
    grid = "rgba(127,146,156,0.22)"
    figure.update_layout(
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": palette.THEME["fontFamily"], "size": 12},
        margin={"l": 8, "r": 8, "t": 4, "b": 30},
        showlegend=False,
        hovermode="closest",
        dragmode="zoom",
        uirevision="keep",  # what is opened or accepted keeps the zoom
        barmode="overlay",
    )
    figure.update_xaxes(gridcolor=grid, zeroline=False, type="date" if is_time else "linear")
    figure.update_xaxes(title={"text": "time (UTC)" if is_time else "frame", "standoff": 4},
                        row=1 + has_depth, col=1)  # fmt: skip
    lanes = {"type": "category", "categoryarray": ["frames", "bursts"], "categoryorder": "array"}
    title = {"title": {"text": "frames a burst"}, "rangemode": "tozero", "gridcolor": grid}
    figure.update_yaxes(
        **(lanes | {"range": [-0.6, 1.6]} if one_by_one else title),
        automargin=True, fixedrange=True, row=1, col=1,
    )  # fmt: skip
    if has_depth:
        figure.update_yaxes(
            title={"text": "depth (m)"}, autorange="reversed", gridcolor=grid, zeroline=False,
            automargin=True, fixedrange=True, row=2, col=1,
        )  # fmt: skip
    return figure


def _step(x: pd.Series) -> Any:  # noqa: ANN401 - as what is on the axis
    """Return the usual distance of neighbours on the axis."""
    apart = x.diff().dropna()
    apart = apart[apart > apart.iloc[0] * 0] if len(apart) else apart
    whole = pd.api.types.is_numeric_dtype(x)
    return apart.median() if len(apart) else (1 if whole else pd.Timedelta(seconds=1))


def _plain(values: pd.Series) -> list[object]:
    """Return values as JSON has them."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return [value.isoformat() for value in values]
    return [value.item() if hasattr(value, "item") else value for value in values]
