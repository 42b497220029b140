# mypy: disable-error-code="untyped-decorator"
"""The frame around every page: header, navigation, keys, and which page an address means."""

from urllib.parse import parse_qsl

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from app import ids, palette
from app.auth import badge
from app.crops import queue as queries
from app.data import ClassRun, Explorer
from app.help import help_of
from app.jobs import parts as job_parts
from app.pages import PAGES
from app.parts import empty_state, link

_LINKS = {
    "/": "Overview",
    "/queue": "Queue",
    "/map": "Map",
    "/bursts": "Bursts",
    "/subcategories": "Subcategories",
}
_ABOVE = {"/cluster": "/queue", "/grow": "/queue", "/frame": "/bursts"}  # of other pages
_WITHOUT_RUN = ("/", "/bursts", "/subcategories")


def layout(explorer: Explorer) -> Component:
    """Return the whole page, its middle empty."""
    return dmc.MantineProvider(
        [
            dcc.Location(id=ids.URL, refresh="callback-nav"),
            dcc.Interval(id=ids.POLL, interval=5000),
            dcc.Store(id=ids.EVENT, data=explorer.labels.last_event_id()),
            dcc.Store(id=ids.VERDICT),
            dcc.Store(id=ids.VERDICT_DONE),
            dcc.Store(id=ids.PIN, storage_type="local"),
            dmc.NotificationContainer(id=ids.TOASTS, position="bottom-right"),
            dmc.Modal(
                id=ids.HELP,
                title="Keys of this page",
                size="lg",
                centered=True,
                closeButtonProps={"aria-label": "Close"},
            ),
            dmc.AppShell(
                [
                    dmc.AppShellHeader(_header(explorer)),
                    dmc.AppShellMain(html.Div(id=ids.PAGE)),
                ],
                header={"height": 52},
                padding=0,
            ),
        ],
        theme=palette.THEME,
        defaultColorScheme="auto",
    )


def register(app: Dash, explorer: Explorer) -> None:
    """Show the page that the address names, and keep the header true."""

    @app.callback(
        Output(ids.PAGE, "children"),
        Output(ids.LINKS, "children"),
        Output(ids.RUN, "data"),
        Output(ids.RUN, "value"),
        Output(ids.HELP, "children"),
        Input(ids.URL, "pathname"),
        Input(ids.URL, "search"),
    )
    def show(path: str, search: str) -> tuple[object, ...]:
        query = dict(parse_qsl((search or "").lstrip("?")))
        runs = explorer.class_runs()
        run = explorer.class_run(query.get("run"))
        page = PAGES.get(path)
        shown = page(explorer, query) if page else _nowhere(path)
        if run is not None:
            explorer.prepare(run)
        options = [{"value": r.name, "label": label} for r, label in _run_labels(runs)]
        chosen = run.name if run else None
        links = _links(path, query.get("run") and chosen)
        return shown, links, options, chosen, help_of(path)

    @app.callback(
        Output(ids.PROGRESS, "children"),
        Input(ids.RUN, "value"),
        Input(ids.EVENT, "data"),
    )
    def progress(name: str | None, _event: int) -> object:
        run = explorer.class_run(name)
        if run is None:
            return None
        counts = queries.progress(explorer.crops(run))
        share = 100 * counts["decided"] / max(counts["crops"], 1)
        return [
            dmc.Progress(value=share, size="sm", w=72, radius="xl", **{"aria-label": "Decided"}),
            html.Span(f"{share:.0f} % decided", className="note numbers"),
        ]

    @app.callback(Output(ids.PINNED, "children"), Input(ids.PIN, "data"))
    def pinned(pin: dict[str, str] | None) -> object:
        if not pin:
            return None
        source = link(f"/image/{pin['crop']}", kind="crop", size=96, run=pin["crops_run"])
        image = html.Img(src=source, alt="pinned crop")
        return html.Button(
            image, title="Pinned: click to let it go", type="button", **{"data-do": "unpin"}
        )

    @app.callback(
        Output(ids.URL, "pathname"),
        Output(ids.URL, "search"),
        Input(ids.RUN, "value"),
        State(ids.URL, "pathname"),
        State(ids.URL, "search"),
        prevent_initial_call=True,
    )
    def switch(name: str | None, path: str, search: str) -> tuple[object, object]:
        query = dict(parse_qsl((search or "").lstrip("?")))
        shown = explorer.class_run(query.get("run"))
        if name is None or (shown is not None and shown.name == name):
            return no_update, no_update
        return _ABOVE.get(path, path), link("", run=name)

    app.clientside_callback(ClientsideFunction("map", "run"), Input(ids.RUN, "value"))
    app.clientside_callback(ClientsideFunction("page", "settled"), Input(ids.VERDICT_DONE, "data"))
    job_parts.register(app, explorer)


def _header(explorer: Explorer) -> Component:
    name = explorer.survey.root.resolve().name
    return html.Div(
        [
            html.A(
                [html.Span(className="logo"), html.Span(name, className="survey-name")],
                href="/",
                className="brand",
                title=f"survey {name}",
            ),
            html.Nav(id=ids.LINKS, **{"aria-label": "Pages"}),
            html.Div(className="spring"),
            html.Div(id=ids.PINNED, className="pinned"),
            html.Div(id=ids.PROGRESS, className="progress"),
            dmc.Select(
                id=ids.RUN,
                data=[],
                placeholder="no clusters yet",
                size="xs",
                w=190,
                allowDeselect=False,
                **{"aria-label": "Class and run"},
            ),
            html.Button(
                "?",
                className="round",
                title="Keys of this page (?)",
                type="button",
                **{"data-do": "help", "aria-label": "Keys of this page"},
            ),
            job_parts.jobs_button(),
            badge(explorer),
            dmc.ColorSchemeToggle(
                lightIcon=html.Span(className="sun"),
                darkIcon=html.Span(className="moon"),
                variant="subtle",
                color="gray",
                size="md",
                **{"aria-label": "Light or dark"},
            ),
        ],
        className="header",
    )


def _links(path: str, run: str | None) -> list[Component]:
    active = _ABOVE.get(path, path)
    return [
        dcc.Link(
            label,
            href=link(page, run=None if page in _WITHOUT_RUN else run),
            className="link active" if page == active else "link",
        )
        for page, label in _LINKS.items()
    ]


def _run_labels(runs: list[ClassRun]) -> list[tuple[ClassRun, str]]:
    """Label each run by its class and part of it; an older one of the same by its name."""
    latest = {(run.class_name, run.part): run.name for run in runs}
    labelled = []
    for run in reversed(runs):
        is_latest = latest[run.class_name, run.part] == run.name
        number = run.counts.get("clusters", "?")
        about = run.part or f"{number} cluster{'' if number == 1 else 's'}"
        labelled.append((run, f"{run.class_name if is_latest else run.name} · {about}"))
    return labelled


def _nowhere(path: str) -> Component:
    return empty_state("There is no such page", f"{path} is not a page of the explorer.")
