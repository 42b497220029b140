"""`discover demo`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from classify.console import print_json, progress, say
from discover.commands.explore import explore
from discover.commands.options import Json
from discover.summary import clustering_lines


def demo(
    *,
    directory: Annotated[Path, Parameter(name="--dir")] = Path("demo-survey"),
    serve: bool = True,
    dives: int = 8,
    frames_per_dive: int = 90,
    seed: int = 0,
    port: int = 8050,
    as_json: Json = False,
) -> None:
    """Render a synthetic survey, run the whole pipeline on it, score it, and serve the page.

    Example: discover demo --dir /tmp/demo --no-serve

    Parameters
    ----------
    directory
        Folder to make the survey in. What is finished there is not made again.
    serve
        Serve the page at the end.
    dives
        Dives to render.
    frames_per_dive
        Frames in each.
    seed
        Of the rendering and of every step.
    port
        Port to serve the page on.
    """
    from functools import partial

    from discover.demo.run import as_json as result_as_json
    from discover.demo.run import run_demo, score_lines

    result = run_demo(
        directory,
        seed=seed,
        dives=dives,
        frames_per_dive=frames_per_dive,
        progress=partial(progress, silent=as_json),
        say=(lambda _line: None) if as_json else say,
    )
    if as_json:
        print_json(result_as_json(result))
        return
    for clustering in result.clusterings:
        for line in clustering_lines(clustering)[:-1]:
            say(line)
    for line in score_lines(result):
        say(line)
    if serve:
        explore(survey=directory, port=port)
    else:
        say(f"next: discover explore --survey {directory}")
