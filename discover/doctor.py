"""Whether this computer and a survey are in order; nothing is changed. Light."""

from collections.abc import Callable
from pathlib import Path

from discover.checkup.computer import check_disk, check_memory, check_torch, free_memory
from discover.checkup.contents import (
    check_cache,
    check_frames,
    check_labels,
    check_runs,
    check_settings,
)
from discover.checkup.finding import Finding
from discover.checkup.packages import check_extras, check_packages, check_python
from discover.checkup.shards import check_shards
from discover.survey import Survey, SurveyError, open_survey

__all__ = ["Finding", "examine", "examine_computer", "examine_survey", "finding_lines"]


def examine(
    folder: Path, *, deep: bool = False, stage: Callable[[str], None] = lambda _: None
) -> list[Finding]:
    """Look at this computer, and at the survey in `folder`.

    Args:
        folder: of the survey. The current folder need not be one.
        deep: read all pages of all shards and look for the files of all frames.
        stage: called with what is looked at next.
    """
    stage("looking at the computer")
    found = examine_computer(folder)
    stage("looking at the survey")
    try:
        survey = open_survey(folder)
    except SurveyError as error:
        if folder == Path():
            nothing = "none in this folder; --survey DIR looks at one"
            return [*found, Finding("survey", "ok", nothing)]
        return [*found, Finding("survey", "fault", str(error), "name another folder")]
    return [*found, *examine_survey(survey, deep=deep)]


def examine_computer(folder: Path) -> list[Finding]:
    """Look at Python, the packages, torch, memory, and the disk that `folder` is on."""
    return [
        check_python(),
        *check_packages(),
        *check_extras(),
        *check_torch(),
        check_memory(free_memory()),
        check_disk(folder),
    ]


def examine_survey(survey: Survey, *, deep: bool = False) -> list[Finding]:
    """Look at a survey's settings, tables, runs, frames, labels and cache."""
    settings = check_settings(survey)
    # where the labels are stands in the settings
    labels = [check_labels(survey)] if settings.state == "ok" else []
    return [
        settings,
        *check_shards(survey, deep=deep),
        *check_runs(survey),
        check_frames(survey, deep=deep),
        *labels,
        check_cache(survey),
    ]


def finding_lines(found: list[Finding]) -> list[str]:
    """Return the findings as lines for a person, and a line that sums them up."""
    width = max(len(finding.check) for finding in found)
    lines = [
        f"{f.state:<7}  {f.check:<{width}}  {f.found}{f': {f.remedy}' if f.remedy else ''}"
        for f in found
    ]
    counts = {state: sum(f.state == state for f in found) for state in ("fault", "warning")}
    if not any(counts.values()):
        return [*lines, "all is well"]
    told = (f"{n} {state}{'' if n == 1 else 's'}" for state, n in counts.items() if n)
    return [*lines, ", ".join(told)]
