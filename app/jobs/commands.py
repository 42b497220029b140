"""Which `discover` commands the page may start, and with which options: nothing else is started.

A request is what a button of the page carries, such as `{"command": "cluster", "class": "waste"}`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.data import Explorer
from classify.errors import UserError
from classify.runs import list_runs
from discover.export import FORMATS

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")  # of a file or folder: no path
_WINDOW = re.compile(r"[0-9]{1,6}(\.[0-9]{1,3})?s|[0-9]{1,6}")

EXPORTS = {  # the formats as their makers write them
    "csv": "CSV", "parquet": "Parquet", "coco": "COCO", "yolo": "YOLO", "ifdo": "iFDO",
    "biigle": "BIIGLE", "coralnet": "CoralNet", "fathomnet": "FathomNet",
    "darwin-core": "Darwin Core", "folders": "Folders",
}  # fmt: skip

Request = Mapping[str, Any]


class JobError(UserError):
    """A job that cannot be started or stopped; the message says why."""


@dataclass(frozen=True)
class Task:
    """A command that is ready to be started.

    Attributes:
        title: what it does, in words.
        tokens: what stands behind `discover`, without --out, --survey and --json. Two tasks of the
            same tokens are the same, whatever their output is called.
        out: what it writes beside the survey's tables, None where nothing.
    """

    title: str
    tokens: tuple[str, ...]
    out: Path | None = None


def task_of(request: object, explorer: Explorer) -> Task:
    """Check a request and return its task.

    Raises:
        JobError: the command, an option or a value is none that the page may start.
    """
    if not isinstance(request, dict):
        raise JobError(f"job {request!r} is no command with options")
    command = request.get("command")
    if not isinstance(command, str) or command not in _COMMANDS:
        raise JobError(f"job {command!r} is none that the page starts: {', '.join(_COMMANDS)}")
    known, make = _COMMANDS[command]
    unknown = sorted(str(key) for key in set(request) - known - {"command"})
    if unknown:
        raise JobError(
            f"{command}: unknown option {unknown[0]!r}; known are {', '.join(sorted(known))}"
        )
    task = make(request, explorer)
    return replace(task, tokens=(command, *task.tokens))


def classifiers(explorer: Explorer) -> list[str]:
    """Return the names of the finished classifiers in the survey's folder `runs`, latest last."""
    return [
        run.name
        for run in list_runs(explorer.survey.root / "runs")
        if run.is_complete and str(run.info["command"]).startswith("classify train")
    ]


def _bursts(request: Request, explorer: Explorer) -> Task:
    if "window" not in request:
        return Task("Find bursts", ())
    window = str(request["window"])
    if not _WINDOW.fullmatch(window):
        raise _wrong("bursts", "window", window, "a number of frames, or seconds as in 10s")
    return Task("Find bursts", (f"--window={window}",))


def _embed(request: Request, explorer: Explorer) -> Task:
    whole = _flag("embed", request, "whole_frame")
    if whole == ("model" in request):
        raise JobError("embed: give either model or whole_frame, which say where regions come from")
    if whole:
        return Task("Embed whole frames", ("--whole-frame",))
    name, known = request["model"], classifiers(explorer)
    if name not in known:
        raise _wrong("embed", "model", name, f"one of the survey's runs: {', '.join(known)}")
    folder = (explorer.survey.root / "runs" / name).resolve()
    return Task(f"Cut and embed crops by {name}", (f"--model={folder}",))


def _cluster(request: Request, explorer: Explorer) -> Task:
    if "within" in request:
        return _within(request, explorer)
    if "run" in request:
        raise JobError("cluster: run goes with within: say which cluster of it")
    tokens = _class("cluster", request, explorer, needed=True)
    name = request["class"]
    title = f"Find the kinds of {name}"
    if _flag("cluster", request, "unnamed"):
        tokens, title = (*tokens, "--unnamed"), f"Find kinds among what has no name in {name}"
    if _flag("cluster", request, "place_new"):
        tokens, title = (*tokens, "--place-new"), f"Place new crops of {name}"
    return Task(title, tokens)


def _within(request: Request, explorer: Explorer) -> Task:
    cluster, run = request["within"], request.get("run")
    also = sorted(set(request) - {"command", "within", "run"})
    if also:
        raise JobError(f"cluster: {also[0]} does not go with within: leave one of them out")
    if not isinstance(cluster, int) or isinstance(cluster, bool) or cluster < -1:
        raise _wrong("cluster", "within", cluster, "the number of a cluster")
    if run not in [known.name for known in explorer.class_runs()]:
        raise _wrong("cluster", "run", run, "the name of a finished cluster run")
    of = "the noise" if cluster < 0 else f"cluster {cluster}"
    return Task(f"Look into {of} of {run}", (f"--within={cluster}", f"--run={run}"))


def _learn(request: Request, explorer: Explorer) -> Task:
    of_class = _class("learn", request, explorer)
    out = explorer.survey.root / "heads" / _name("learn", request, "head")
    what = f"the kinds of {request['class']}" if of_class else "the named kinds"
    return Task(f"Learn {what}", of_class, _new(out))


def _export(request: Request, explorer: Explorer) -> Task:
    name = request.get("format")
    if not isinstance(name, str) or name not in FORMATS:
        raise _wrong("export", "format", name, f"one of {', '.join(FORMATS)}")
    tokens = (name, *_class("export", request, explorer))
    if _flag("export", request, "people_only"):
        tokens += ("--people-only",)
    if _flag("export", request, "encounters"):
        if name != "darwin-core":
            raise JobError(f"export: encounters is for darwin-core, not for {name}")
        tokens += ("--encounters",)
    file = _name("export", request, name) + FORMATS[name].ending
    return Task(f"Export as {EXPORTS[name]}", tokens, _new(explorer.survey.root / "exports" / file))


def _report(request: Request, explorer: Explorer) -> Task:
    of_class = _class("report", request, explorer)
    return Task(f"Report on {request['class'] if of_class else 'the latest clusters'}", of_class)


Make = Callable[[Request, Explorer], Task]
_COMMANDS: dict[str, tuple[set[str], Make]] = {
    "bursts": ({"window"}, _bursts),
    "embed": ({"model", "whole_frame"}, _embed),
    "cluster": ({"class", "unnamed", "place_new", "within", "run"}, _cluster),
    "learn": ({"class", "name"}, _learn),
    "export": ({"format", "class", "people_only", "encounters", "name"}, _export),
    "report": ({"class"}, _report),
}


def _class(
    command: str, request: Request, explorer: Explorer, *, needed: bool = False
) -> tuple[str, ...]:
    if "class" not in request and not needed:
        return ()
    name = request.get("class")
    known = {str(name) for name in explorer.classes_by_dive()["class"].unique()}
    known |= {run.class_name for run in explorer.class_runs()}
    if not isinstance(name, str) or name not in known:
        raise _wrong(command, "class", name, f"one of {', '.join(sorted(known))}")
    return (f"--class={name}",)  # one token: a name that starts with - is no option


def _flag(command: str, request: Request, option: str) -> bool:
    value = request.get(option, False)
    if not isinstance(value, bool):
        raise _wrong(command, option, value, "true or false")
    return value


def _name(command: str, request: Request, stem: str) -> str:
    """Return the name of what is written: the one that is asked for, else one by the time."""
    if "name" not in request:
        return f"{stem}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    name = request["name"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _wrong(command, "name", name, "letters, digits, and any of . _ - between them")
    return name


def _new(out: Path) -> Path:
    if out.exists():
        raise JobError(f"name {out.name!r} is taken in {out.parent.name}: choose another")
    return out.resolve()


def _wrong(command: str, option: str, value: object, wanted: str) -> JobError:
    return JobError(f"{command}: {option} {value!r} is not {wanted}")
