# mypy: disable-error-code="untyped-decorator"
"""Overview: what the survey holds, and what is left to do."""

import dash_mantine_components as dmc
import plotly.graph_objects as go
from dash import ClientsideFunction, Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from app import ids
from app.data import ClassRun, Explorer
from app.figures import survey as figures_survey
from app.jobs.parts import job_button
from app.overview import data as survey_data
from app.overview.steps import Action, Step, count, steps
from app.parts import Query, command_line, empty_state, link

_BY = {"dive": "Dive", "depth": "Depth", "time": "Time"}
_WELCOME = [
    ("Name", "Clusters wait in the queue: look at one, press N, type what it shows.", "/queue"),
    ("Mend", "Open a cluster to take out what does not belong, and grow it by what does.", "/map"),
    ("Take along", "Names go to CSV, COCO, BIIGLE and seven other formats.", "/subcategories"),
]


def layout(explorer: Explorer, query: Query) -> Component:
    """Return the page."""
    dives = explorer.frames_by_dive()
    if dives.empty:
        return empty_state(
            "An empty survey",
            "Add a folder of frames or videos; each sub-folder is a dive.",
            "discover add FOLDER",
        )
    runs = explorer.latest_runs()
    return html.Div(
        [
            html.H1("Overview", className="unseen"),
            _welcome(),
            html.Div(_facts(explorer, runs), className="facts"),
            html.Div(
                [
                    html.Section(
                        [
                            html.H2("What is left to do"),
                            html.Div(_steps(explorer, runs), id=ids.OVERVIEW_STEPS),
                        ],
                        className="panel",
                    ),
                    _classes(explorer, query.get("by")),
                ],
                className="halves",
            ),
        ],
        className="page overview",
    )


def register(app: Dash, explorer: Explorer) -> None:
    """Draw the crops by what is chosen, and keep the steps true."""

    @app.callback(Output(ids.OVERVIEW_GRAPH, "figure"), Input(ids.OVERVIEW_BY, "value"))
    def draw(by: str) -> go.Figure:
        return figure(explorer, by)

    @app.callback(
        Output(ids.OVERVIEW_STEPS, "children"),
        Input(ids.EVENT, "data"),
        Input(ids.JOBS_SEEN, "data"),
        prevent_initial_call=True,
    )
    def renew(_event: int, _seen: object) -> Component:
        return _steps(explorer, explorer.latest_runs())

    app.clientside_callback(
        ClientsideFunction("overview", "welcome"),
        Output(ids.OVERVIEW_WELCOME, "hidden"),
        Input(ids.OVERVIEW_WELCOME, "id"),
    )


def figure(explorer: Explorer, by: str) -> go.Figure:
    """Draw the crops of each class by "dive", "depth" or "time"; what is unknown falls to dive."""
    known = survey_data.spans(explorer)
    if by == "depth" and by in known:
        return figures_survey.classes_by_depth(
            survey_data.classes_by_depth(explorer, known["depth"])
        )
    if by == "time" and by in known:
        return figures_survey.classes_by_time(survey_data.classes_by_time(explorer, known["time"]))
    return figures_survey.classes_by_dive(explorer.classes_by_dive())


def _welcome() -> Component:
    """Return the three steps of the first visit; `overview.js` shows them once in a browser."""
    parts = [
        html.Li([dcc.Link(f"{n} · {title}", href=href, className="strong"), html.Span(text)])
        for n, (title, text, href) in enumerate(_WELCOME, 1)
    ]
    close = html.Button("Got it", className="tool", **{"data-welcome": "close"})
    return html.Section(
        [html.Ol(parts), close],
        id=ids.OVERVIEW_WELCOME,
        className="welcome",
        hidden=True,
        **{"aria-label": "First steps"},
    )


def _facts(explorer: Explorer, runs: dict[str, ClassRun]) -> list[Component]:
    dives, crops = explorer.frames_by_dive(), explorer.classes_by_dive()
    facts = [_fact(f"{int(dives['frames'].sum()):,}", "frames", f"in {count(len(dives), 'dive')}")]
    bursts = survey_data.burst_counts(explorer.survey)
    if bursts:
        share = 100 * bursts["in_bursts"] / max(bursts["frames"], 1)
        note = f"{share:.0f} % of the frames share one"
        facts.append(_fact(f"{bursts['bursts']:,}", "bursts", note, href="/bursts"))
    total = int(crops["crops"].sum())
    classes = count(crops["class"].nunique(), "class", "classes")
    facts.append(_fact(f"{total:,}", "crops", f"of {classes}"))
    for name, run in runs.items():
        names = explorer.crops(run)["name"]
        named, of = int(names.notna().sum()), len(names)
        clusters = count(int(run.counts.get("clusters", 0)), "cluster")
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
        bar = dmc.Progress(value=share, size="sm", mt=10, radius="xl", **{"aria-label": what})
        children.append(bar)
    if href is not None:
        return dcc.Link(children, href=href, className="panel fact")
    return html.Div(children, className="panel fact")


def _steps(explorer: Explorer, runs: dict[str, ClassRun]) -> Component:
    left = [_step(step, first=not n) for n, step in enumerate(steps(explorer, runs))]
    if not left:
        return html.P("Every cluster has a name.", className="note")
    return html.Ol(left, className="steps")


def _step(step: Step, *, first: bool) -> Component:
    buttons = [_button(action, primary=first and not n) for n, action in enumerate(step.actions)]
    beside = [command_line(step.command)] if step.command else []
    return html.Li(
        [
            html.Div(step.text, className="step-text"),
            html.Div([*buttons, *beside], className="step-do"),
        ]
    )


def _button(action: Action, *, primary: bool) -> Component:
    if action.job is not None:
        return job_button(action.label, action.job, primary=primary)
    style = "tool primary" if primary else "tool"
    return dcc.Link(action.label, href=action.href, className=style)


def _classes(explorer: Explorer, by: str | None) -> Component:
    rows = explorer.classes_by_dive()
    if rows.empty:
        return html.Section(
            [html.H2("Crops"), html.P("No crops yet.", className="note")], className="panel"
        )
    known = {"dive", *survey_data.spans(explorer)}
    options = {key: label for key, label in _BY.items() if key in known}
    heading = [html.H2("Crops by dive")]
    if len(options) > 1:
        switch = dmc.SegmentedControl(
            id=ids.OVERVIEW_BY,
            data=[{"value": v, "label": label} for v, label in options.items()],
            value=by if by in options else "dive",
            size="xs",
            **{"aria-label": "What the crops are counted by"},
        )
        heading = [html.H2("Crops by"), switch]
    dives, most = rows["dive"].nunique(), figures_survey.MOST_DIVES
    note = f"Of {dives:,} dives, the {most} with the most crops." if dives > most else None
    return html.Section(
        [
            html.Div(heading, className="bar flat"),
            dcc.Graph(
                id=ids.OVERVIEW_GRAPH,
                figure=figure(explorer, by or "dive"),
                config={"displayModeBar": False, "responsive": True},
            ),
            html.P(note, className="note") if note else None,
        ],
        className="panel crops-by",
    )
