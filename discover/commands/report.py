"""`discover report`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from classify.console import print_json, progress, say
from discover.commands.options import HERE, Json, SurveyDir
from discover.survey import open_survey


def report(
    *,
    class_name: Annotated[str | None, Parameter(name="--class")] = None,
    run: str | None = None,
    truth: Path | None = None,
    out: Path | None = None,
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Write one page on a clustering: its clusters in pictures, and how far to trust them.

    The page is one file that needs no network. Clusters are scored by the names that people gave,
    where there are any, or by --truth.

    Example: discover report --class waste

    Parameters
    ----------
    class_name
        The latest clustering of this class; by default the latest of any.
    run
        A clustering run instead.
    truth
        COCO file whose categories are kinds; crops take the kind of the object that they lie on.
    out
        File to write; by default report.html in the run's folder.
    """
    opened = open_survey(survey)
    found = opened.run("clusters", run, of_class=class_name)
    from discover.report import write_report

    with progress("cutting", silent=as_json) as advance:
        page = write_report(opened, found, truth=truth, out=out, progress=advance)
    if as_json:
        print_json({"run": found.name, "report": str(page)})
        return
    say(f"report: {page}")
