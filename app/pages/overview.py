"""Overview: what the survey holds, and what is left to do."""

from dataclasses import dataclass

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from app import figures, queries
from app.data import ClassRun, Explorer
from app.parts import Query, command_line, empty_state, link


@dataclass(frozen=True)
class Step:
    """Something left to do: a command to run, or a page to open."""

    text: str
    command: str | None = None
    href: str | None = None


def layout(explorer: Explorer, query: Query) -> Component:
    """Return the page."""
    dives = explorer.frames_by_dive()
    if dives.empty:
        return empty_state(
            "An empty survey",
            "Add a folder of frames or videos; each sub-folder is a dive.",
            "discover add FOLDER",
        )
    runs = _latest(explorer)
    return html.Div(
        [
            html.Div(_facts(explorer, runs), className="facts"),
            html.Div([_steps(explorer, runs), _classes(explorer)], className="halves"),
        ],
        className="page overview",
    )


def steps(explorer: Explorer, runs: dict[str, ClassRun]) -> list[Step]:
    """Return what is left to do, the next thing first.

    Args:
        explorer: the survey.
        runs: the latest cluster run of each class.
    """
    crops = explorer.classes_by_dive()
    if crops.empty:
        return [Step("Cut the crops and describe them as vectors", "discover embed")]
    left = []
    for name, run in runs.items():
        rows = queries.queue(explorer.crops(run), exemplars=0)
        unnamed = [r for r in rows if r["cluster"] >= 0 and not r["names"]]
        if unnamed:
            first = max(unnamed, key=lambda r: r["size"])
            text = (
                f"Name {_count(len(unnamed), 'cluster')} of {name}; "
                f"the largest holds {_count(first['size'], 'crop')}"
            )
            left.append(Step(text, href=link("/queue", run=run.name)))
    for name in sorted(set(crops["class"]) - set(runs)):
        number = int(crops.loc[crops["class"] == name, "crops"].sum())
        text = f"Find the kinds among {_count(number, 'crop')} of {name}"
        left.append(Step(text, f"discover cluster --class {name}"))
    return left


def _latest(explorer: Explorer) -> dict[str, ClassRun]:
    return {run.class_name: run for run in explorer.class_runs()}


def _facts(explorer: Explorer, runs: dict[str, ClassRun]) -> list[Component]:
    dives, crops = explorer.frames_by_dive(), explorer.classes_by_dive()
    total = int(crops["crops"].sum())
    facts = [
        _fact(f"{int(dives['frames'].sum()):,}", "frames", f"in {_count(len(dives), 'dive')}"),
        _fact(f"{total:,}", "crops", f"of {_count(crops['class'].nunique(), 'class', 'classes')}"),
    ]
    for name, run in runs.items():
        named, of = queries.share_named(explorer.crops(run))
        clusters = _count(int(run.counts.get("clusters", 0)), "cluster")
        facts.append(
            _fact(
                f"{100 * named / max(of, 1):.0f} %",
                f"of {name} named",
                f"{named:,} of {of:,} crops · {clusters}",
                share=100 * named / max(of, 1),
                href=link("/queue", run=run.name),
            )
        )
    return facts


def _fact(
    number: str, what: str, note: str, *, share: float | None = None, href: str | None = None
) -> Component:
    children = [
        html.Div([html.Span(number, className="big"), html.Span(what)], className="fact-head"),
        html.Div(note, className="note"),
    ]
    if share is not None:
        children.append(dmc.Progress(value=share, size="sm", mt=10, radius="xl"))
    if href is not None:
        return dcc.Link(children, href=href, className="panel fact")
    return html.Div(children, className="panel fact")


def _steps(explorer: Explorer, runs: dict[str, ClassRun]) -> Component:
    left = steps(explorer, runs)
    rows = [
        html.Li(
            [
                html.Div(step.text, className="step-text"),
                command_line(step.command)
                if step.command
                else dcc.Link("Open the queue", href=step.href, className="tool primary"),
            ]
        )
        for step in left
    ]
    if not rows:
        rows = [html.Li(html.Div("Every cluster has a name.", className="step-text"))]
    return html.Section(
        [html.H2("What is left to do"), html.Ol(rows, className="steps")], className="panel"
    )


def _classes(explorer: Explorer) -> Component:
    rows = explorer.classes_by_dive()
    if rows.empty:
        return html.Section(
            [html.H2("Crops by dive"), html.P("No crops yet.", className="note")],
            className="panel",
        )
    dives = rows["dive"].nunique()
    title = "Crops by dive"
    if dives > figures.MOST_DIVES:
        title += f": the {figures.MOST_DIVES} of {dives:,} dives with the most"
    figure = dcc.Graph(
        figure=figures.classes_by_dive(rows), config={"displayModeBar": False, "responsive": True}
    )
    return html.Section([html.H2(title), figure], className="panel")


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
