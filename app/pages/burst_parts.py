"""A burst as a card in its row of stacks, and opened with all its frames and their proofs."""

from typing import Any

import pandas as pd
from dash import dcc, html
from dash.development.base_component import Component

from app import ids
from app.figures.bursts import ACCEPTED, BURST, KEY, OPEN, time_line
from app.parts import command_line, link

FAN = 5  # frames beneath the keyframe of a card
MOST = 240  # frames of an open burst
_BUTTONS = (("Accept", "A", "accept"), ("Split off", "S", "split"), ("Merge", "M", "merge"))


def card(burst: str, frames: pd.DataFrame, *, accepted: bool, opened: bool) -> Component:
    """Show a burst as a stack: the keyframe large, the others beneath.

    Args:
        burst: its name.
        frames: see `app.frames.stacks.members`.
        accepted: whether a person accepted it.
        opened: whether it is shown open.
    """
    count, rest = len(frames), frames["frame_id"].iloc[1 : 1 + FAN].tolist()
    more = count - 1 - len(rest)
    span = _span(frames)
    said = _count(count) + (", accepted" if accepted else "")
    strip = [_image(frame, 160) for frame in rest]
    if more > 0:
        strip.append(html.Span(f"+{more:,}", className="stack-more"))
    states = [n for n, on in (("accepted", accepted), ("opened", opened)) if on]
    if count > 1:
        states.append("many")
    return html.Button(
        [
            html.Span(_image(str(frames["frame_id"].iat[0]), 320), className="stack-key"),
            html.Span(strip, className="stack-fan") if strip else None,
            html.Span(
                [html.Span(said, className="strong"), html.Span(span, className="note numbers")],
                className="stack-line",
            ),
            html.Span(_weakest(frames, count), className="note numbers"),
        ],
        className=" ".join(["stack", *states]),
        **{
            "data-burst": burst,
            "aria-pressed": "true" if opened else "false",
            "aria-label": f"Burst of {said}, {span}",
        },
    )


def line(frames: pd.DataFrame, stacks: pd.DataFrame, opened: str | None) -> Component:
    """Show the time line of a dive; arguments as of `app.figures.bursts.time_line`."""
    deep = bool(frames["depth_m"].notna().any())
    graph = dcc.Graph(
        id=ids.BURSTS_LINE,
        figure=time_line(frames, stacks, opened=opened),
        config={"displayModeBar": False},
        className="burst-line-graph deep" if deep else "burst-line-graph",
    )
    label = "Time line: each mark a frame, each bar a burst; the stacks below are the same bursts"
    return html.Section([_legend(), graph], className="panel burst-line", **{"aria-label": label})


def nothing_open(
    text: str = "Open a stack to see all its frames, each with its proof.",
) -> Component:
    """Say that no burst is open."""
    return html.P(text, className="note")


def opened_burst(
    burst: str, frames: pd.DataFrame, proofs: dict[str, dict[str, Any]], *, accepted: bool
) -> Component:
    """Show all frames of a burst, the keyframe first, each with its proof against the keyframe.

    Args:
        burst: its name.
        frames: see `app.frames.stacks.members`.
        proofs: `proof, inliers` of the pairs with the keyframe, by frame.
        accepted: whether a person accepted it.
    """
    key = str(frames["frame_id"].iat[0])
    rows = frames.iloc[:MOST].itertuples()
    tiles = [_tile(row, key, proofs.get(str(row.frame_id))) for row in rows]
    state = "accepted by a person" if accepted else "not checked"
    left_out = len(frames) - len(tiles)
    return html.Div(
        [
            html.Div(
                [
                    html.H2(f"Burst of {_count(len(frames))}"),
                    html.Span(f"{_span(frames)} · {state}", className="note numbers"),
                    html.Div(className="spring"),
                    html.Span(id="burst-selected", className="selected", role="status"),
                    *(_button(*words) for words in _BUTTONS),
                    html.Button("Close", className="tool", **{"data-burst-do": "close"}),
                ],
                className="bar",
            ),
            html.Div(_merge_bar(), id="burst-merge", className="burst-merge", hidden=True),
            html.Div(tiles, className="burst-frames"),
            html.P(f"{left_out:,} more frames are not shown.", className="note")
            if left_out > 0
            else None,
        ],
        **{"data-open": burst},
    )


def proof_dialog() -> Component:
    """Return the dialog in which `assets/bursts.js` shows why two frames are one scene."""
    return html.Dialog(
        [
            html.Div(
                [
                    html.H2("Why two frames are one scene"),
                    html.Div(className="spring"),
                    html.Button("Close", className="tool", id="proof-close"),
                ],
                className="bar",
            ),
            html.P(id="proof-said", role="status"),
            html.Img(id="proof-picture", alt=""),
            html.P(
                "Green: points that agree on one motion of the camera; red: points that do not; "
                "dark: fixed to the vehicle; the yellow outline: the first frame in the second.",
                className="note",
            ),
            command_line("discover bursts --explain FRAME_A FRAME_B"),
        ],
        id="proof-dialog",
        className="proof-dialog",
        **{"aria-label": "Proof"},
    )


def _legend() -> Component:
    """Say what the marks and bars of the time line are."""
    kinds = ((KEY, "keyframe"), (BURST, "burst"), (ACCEPTED, "accepted"), (OPEN, "open"))
    marks = [
        html.Span([html.Span(className="class-dot", style={"--class": colour}), words])
        for colour, words in kinds
    ]
    return html.Div([*marks, "drag to zoom, double-click to see all"], className="line-legend note")


def _button(words: str, key: str, do: str) -> Component:
    kind = "tool primary" if do == "accept" else "tool"
    return html.Button([words, html.Kbd(key)], className=kind, **{"data-burst-do": do})


def _tile(row: Any, key: str, proof: dict[str, Any] | None) -> Component:  # noqa: ANN401 - a row
    is_key = row.frame_id == key
    where = f"frame {row.index}"
    words = f"{where}, keyframe" if is_key else where
    return html.Figure(
        [
            html.Button(
                [_image(row.frame_id, 640 if is_key else 320), html.Span(className="tick")],
                className="burst-frame",
                **{
                    "data-frame": row.frame_id,
                    "aria-pressed": "false",
                    "aria-label": f"Select {words}",
                },
            ),
            html.Figcaption(
                [
                    dcc.Link(
                        where, href=link("/frame", frame=row.frame_id), className="quiet-link"
                    ),
                    html.Span("keyframe", className="badge-key")
                    if is_key
                    else _proof(row, key, proof),
                ]
            ),
        ],
        className="burst-figure key" if is_key else "burst-figure",
    )


def _proof(row: Any, key: str, proof: dict[str, Any] | None) -> Component:  # noqa: ANN401 - a row
    if proof is None:
        words = "not proven itself"
        title = "No proven pair with the keyframe: draw what speaks for and against it"
    else:
        words = f"{proof['proof']:.2f} · {proof['inliers']:,} points"
        title = "Probability of one scene with the keyframe, and matched points: draw them"
    return html.Button(
        words,
        className="proof-button numbers",
        title=title,
        **{
            "data-proof": f"{key} {row.frame_id}",
            "aria-label": f"Proof of frame {row.index}: {words}",
        },
    )


def _merge_bar() -> list[Component]:
    return [
        html.Span("Merge this burst into", className="strong"),
        html.Button(
            ["the one before it in time", html.Kbd("←")],
            className="tool",
            **{"data-into": "before"},
        ),
        html.Button(
            ["the one after it", html.Kbd("→")], className="tool", **{"data-into": "after"}
        ),
        html.Span(["or click a stack · ", html.Kbd("Esc"), " leaves"], className="note"),
    ]


def _image(frame: str, size: int) -> Component:
    return html.Img(src=f"/frame-image/{frame}?size={size}", alt="")


def _count(frames: int) -> str:
    return f"{frames:,} frame{'' if frames == 1 else 's'}"


def _span(frames: pd.DataFrame) -> str:
    first, last = frames["index"].min(), frames["index"].max()
    dives = frames["dive"].nunique()
    across = f" of {dives} dives" if dives > 1 else ""
    return (f"{first}" if first == last else f"{first} to {last}") + across


def _weakest(frames: pd.DataFrame, count: int) -> str:
    if count == 1:
        return "alone"
    proof = frames["proof"].min()
    return "by a person" if proof != proof else f"proof {proof:.2f} or more"
