"""What the two commands share: progress bars, one-line errors, configuration. Light."""

import json
import logging
import os
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cyclopts import App, ArgumentCollection, CycloptsError
from cyclopts.config import Env, Toml
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from classify.errors import UserError
from classify.progress_file import ProgressFile

console = Console(stderr=True)  # bars, notes and errors; results go to standard output

Advance = Callable[[int, int], None]


def configure(app: App, settings: str, prefix: str, *, folder_option: str | None = None) -> None:
    """Let options come from the environment and from a TOML file, below the command line.

    Args:
        app: the command.
        settings: name of the TOML file; a table in it is named after a command.
        prefix: of the environment variables, as in `DISCOVER_CLUSTER_SEED`.
        folder_option: the option that says which folder the file is in; None = the current one.
    """

    def from_file(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        folder = Path()
        for argument in arguments:
            if folder_option in argument.names and argument.tokens:
                folder = Path(argument.tokens[-1].value)
        try:
            Toml(folder / settings, must_exist=False)(app, commands, arguments)
        except CycloptsError as error:
            if not isinstance(error.__cause__, tomllib.TOMLDecodeError):
                raise
            what = f"{folder / settings} is not TOML: {error.__cause__}; mend that line"
            raise UserError(what) from error

    app.config = (Env(prefix, command=True), from_file)


def run(app: App, tokens: list[str] | None = None) -> None:
    """Run a command line: errors that the user can mend become one line and exit code 1."""
    logging.basicConfig(
        level=os.environ.get("LOGLEVEL", "WARNING").upper(),
        format="%(message)s",
        handlers=[RichHandler(console=console, show_time=False, show_path=False, markup=False)],
    )
    try:
        app(tokens)
    except UserError as error:
        console.print(f"[bold red]error:[/] {_escaped(str(error))}", soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("stopped; the same command goes on from here")
        sys.exit(130)


@contextmanager
def stages(*, silent: bool = False) -> Iterator[Callable[[str], Advance]]:
    """Draw a bar for each stage, with rate and time left; see `progress_file` for machines.

    Yields the function that begins a stage by its name; it returns what moves the bar:
    (done, total).
    """
    bar = _bar(silent)
    noted = ProgressFile.of_environment()

    def begin(label: str) -> Advance:
        task = bar.add_task(label, total=None, rate="", visible=False, start=False)
        noted.write(label)

        def advance(done: int, total: int) -> None:
            if not bar.tasks[task].started:
                bar.start()  # not before the first step: an error in the arguments shows no bar
                bar.start_task(task)
            seconds = bar.tasks[task].elapsed
            rate = f"{done / seconds:.1f}/s" if seconds else ""
            bar.update(task, completed=done, total=total, rate=rate, visible=True)
            noted.write(label, done, total)

        return advance

    try:
        yield begin
    finally:
        bar.stop()


def _bar(silent: bool) -> Progress:
    return Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        disable=silent,
    )


@contextmanager
def progress(label: str, *, silent: bool = False) -> Iterator[Advance]:
    """Draw one bar; yields the function that moves it: (done, total)."""
    with stages(silent=silent) as begin:
        yield begin(label)


@contextmanager
def working(label: str) -> Iterator[Callable[[str], None]]:
    """Say what is being done where nobody knows how long it takes.

    Yields the function that says the next thing.
    """
    noted = ProgressFile.of_environment()
    noted.write(label)
    with console.status(label) as status:

        def say_next(text: str) -> None:
            status.update(text)
            noted.write(text)

        yield say_next


def print_json(result: Any) -> None:  # noqa: ANN401 - whatever JSON holds
    """Print a result for machines, on standard output."""
    sys.stdout.write(json.dumps(result, indent=2, default=str, ensure_ascii=False) + "\n")


def say(line: str = "") -> None:
    """Print a line of a command's result on standard output."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()  # the page's address must not wait in a buffer


def _escaped(text: str) -> str:
    return text.replace("[", "\\[")
