# mypy: disable-error-code="untyped-decorator"
"""Jobs on the page: the button in the header, its list, what starts and stops them, their files.

Any element with `data-job` (a request as JSON, see `app.jobs.commands`) starts a job when it is
clicked.
"""

import json
import time
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from app import ids
from app.auth import current_user
from app.crops.verdicts import toast
from app.data import Explorer
from app.jobs import files as job_files
from app.jobs.commands import JobError
from app.jobs.jobs import DONE, FAILED, RUNNING, STOPPED, Job, Jobs
from app.overview.data import count_crops
from app.parts import link

FAST, SLOW = 1_000, 15_000  # milliseconds between two looks, while something runs and else
_COLOURS = {RUNNING: "ocean", DONE: "teal", FAILED: "red", STOPPED: "gray"}


def job_button(label: str, request: dict[str, Any], *, primary: bool = False) -> Component:
    """Return a button that starts a job; `request` as in `app.jobs.commands`."""
    return html.Button(
        label,
        className="tool primary" if primary else "tool",
        **{"data-job": json.dumps(request)},
    )


def jobs_button() -> Component:
    """Return what the header shows of jobs: a button with a ring, and the list that it opens."""
    return html.Div(
        [
            *(dcc.Store(id=i) for i in (ids.JOBS_ASKED, ids.JOBS_CHANGED, ids.JOBS_SEEN)),
            dcc.Interval(id=ids.JOBS_POLL, interval=SLOW),
            dmc.Popover(
                [
                    dmc.PopoverTarget(
                        html.Button(
                            ring([]),
                            id=ids.JOBS_BUTTON,
                            className="round jobs-button",
                            title="Jobs",
                            **{"aria-label": "Jobs", "aria-haspopup": "true"},
                        )
                    ),
                    dmc.PopoverDropdown(
                        [html.H2("Jobs"), html.Div(id=ids.JOBS_LIST)], className="jobs-panel"
                    ),
                ],
                width=430,
                position="bottom-end",
                keepMounted=True,
                trapFocus=True,
                returnFocus=True,
                withRoles=False,  # they would go to a box round the button, not to the button
                zIndex=400,
            ),
            html.Div(id=ids.JOBS_NOTICE, className="jobs-notice", role="status"),
        ],
        className="jobs",
    )


def register(app: Dash, explorer: Explorer) -> None:
    """Start and stop jobs as they are asked for, show how far they are, and serve their files."""
    jobs = Jobs(explorer)
    job_files.serve(app.server, jobs)

    @app.callback(
        Output(ids.TOASTS, "sendNotifications", allow_duplicate=True),
        Output(ids.JOBS_CHANGED, "data"),
        Input(ids.JOBS_ASKED, "data"),
        prevent_initial_call=True,
    )
    def act(asked: dict[str, Any]) -> tuple[object, object]:
        message, failed = answer(explorer, jobs, asked)
        return [toast(message, failed, int(asked["at"]))], asked["at"]

    @app.callback(
        Output(ids.JOBS_LIST, "children"),
        Output(ids.JOBS_BUTTON, "children"),
        Output(ids.JOBS_POLL, "interval"),
        Output(ids.JOBS_SEEN, "data"),
        Output(ids.JOBS_NOTICE, "children"),
        Output(ids.TOASTS, "sendNotifications", allow_duplicate=True),
        Input(ids.JOBS_POLL, "n_intervals"),
        Input(ids.JOBS_CHANGED, "data"),
        State(ids.JOBS_SEEN, "data"),
        prevent_initial_call="initial_duplicate",
    )
    def look(_n: int, _changed: int, seen: dict[str, Any] | None) -> tuple[object, ...]:
        listed, crops = jobs.listed(), count_crops(explorer.survey)
        running = [job for job in listed if job.state == RUNNING]
        states = {job.id: job.state for job in listed}
        before = seen or {"states": states, "crops": crops}  # a page that opens has missed nothing
        ended = [j for j in listed if before["states"].get(j.id) == RUNNING != j.state]
        now = {"states": states, "crops": before["crops"]}
        still = not running and states == before["states"] and seen is not None
        return (
            no_update if still else job_list(listed, may_stop=current_user(explorer).may_run),
            no_update if still else ring(running),
            FAST if running else SLOW,
            no_update if now == seen else now,  # what listens to it is asked only after a change
            notice(crops - before["crops"]),
            [_ended(job) for job in ended] or no_update,
        )


def answer(explorer: Explorer, jobs: Jobs, asked: dict[str, Any]) -> tuple[str, bool]:
    """Start or stop what the page asks for.

    Args:
        explorer: the survey.
        jobs: its jobs.
        asked: `start`, a request, or `stop`, the id of a job.

    Returns:
        What to say, and whether it failed.
    """
    user = current_user(explorer)
    if not user.may_run:
        return f"{user.name} may not start or stop jobs: ask an admin of this page", True
    try:
        if "stop" in asked:
            title = jobs.get(str(asked["stop"])).title
            jobs.stop(str(asked["stop"]))
            return f"Stopping “{title}”", False
        return f"Started: {jobs.start(asked.get('start'), by=user.name).title}", False
    except JobError as error:
        return str(error), True


def ring(running: list[Job]) -> Component:
    """Show how far the running jobs are: a share where it is known of one, else that it turns."""
    if not running:
        return html.Span(className="jobs-icon")
    share = _share(running[0])
    what = f"{len(running)} running" + (f", {share:.0f} %" if share is not None else "")
    return html.Span(
        [str(len(running)), html.Span(what, className="unseen")],
        className="jobs-ring" if share is not None else "jobs-ring turning",
        style={"--share": f"{share if share is not None else 25:.0f}%"},
    )


def job_list(jobs: list[Job], *, may_stop: bool) -> Component:
    """Return the list of jobs, the latest first."""
    if not jobs:
        text = "Nothing has run yet. Embedding, clustering, learning and exports show here."
        return html.P(text, className="note")
    return html.Ol([_item(job, may_stop) for job in jobs], className="jobs-list")


def notice(new: int) -> Component | None:
    """Say that crops came since the page was opened."""
    if new <= 0:
        return None
    return html.Div(
        [
            f"{new:,} new crop{'' if new == 1 else 's'}",
            html.Button("Reload", className="tool", **{"data-reload": "true"}),
        ],
        className="notice",
    )


def _item(job: Job, may_stop: bool) -> Component:
    running = job.state == RUNNING
    seconds = (job.finished or (time.time() if running else job.started)) - job.started
    told = [job.state, _duration(seconds)] if running or job.finished else [job.state]
    head = [
        html.Span(job.title, className="strong"),
        html.Span(" · ".join(told), className=f"note numbers job-{job.state}"),
    ]
    stop = html.Button("Stop", className="tool", **{"data-stop": job.id})
    parts: list[Component] = [html.Div(head, className="job-head")]
    if running:
        parts.append(_bar(job))
    if job.error:
        parts.append(html.Div(job.error, className="job-error"))
    about = html.Span(f"{job.by} · {_clock(job.started)}", className="note numbers")
    more = [stop] if running and may_stop else made(job)
    parts.append(html.Div([about, html.Span(className="spring"), *more], className="job-foot"))
    return html.Li(parts, key=job.id, className=job.state)


def made(job: Job) -> list[Component]:
    """Return links to what a finished job made."""
    result = job.result or {}
    if job.command == "cluster" and "run" in result:
        return [dcc.Link("Open the queue", href=link("/queue", run=result["run"]))]
    if job.command == "bursts":
        return [dcc.Link("See the bursts", href="/bursts")]
    if job.command == "learn" and "run" in result:
        return [dcc.Link("See how right it is", href="/subcategories")]
    if job.command == "export" and "out" in result:
        return [html.A("Download", href=f"/job/{job.id}/download", title=str(result["out"]))]
    if job.command == "report" and "report" in result:
        return [html.A("Open the report", href=f"/job/{job.id}/report", target="_blank")]
    return []


def _bar(job: Job) -> Component:
    progress, share = job.progress or {}, _share(job)
    label = str(progress.get("label") or "starting")
    if share is not None:
        label += f": {progress['done']:,} of {progress['total']:,}"
    bar = dmc.Progress(
        value=100 if share is None else share,
        animated=share is None,
        striped=share is None,
        size="sm",
        radius="xl",
        **{"aria-label": job.title},
    )
    return html.Div([bar, html.Div(label, className="note numbers")])


def _ended(job: Job) -> dict[str, object]:
    words = {DONE: "is done", FAILED: "failed", STOPPED: "was stopped"}[job.state]
    line = [html.Span(f"{job.title} {words}"), *([html.Span(job.error)] if job.error else [])]
    return {
        "id": f"job-{job.id}",
        "action": "show",
        "message": html.Div([*line, *made(job)], className="job-toast"),
        "color": _COLOURS[job.state],
        "autoClose": 12_000,
    }


def _share(job: Job) -> float | None:
    progress = job.progress or {}
    done, total = progress.get("done"), progress.get("total")
    return 100 * done / total if total and done is not None else None


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _clock(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))
