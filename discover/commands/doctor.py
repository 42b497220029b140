"""`discover doctor`."""

import dataclasses
import sys
from typing import Annotated

from cyclopts import Parameter

from classify.console import print_json, say, working
from discover.commands.options import HERE, Json, SurveyDir


def doctor(
    *,
    deep: Annotated[bool, Parameter(negative=())] = False,
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Say whether this computer and a survey are in order, and the remedy where not.

    Changes nothing. Ends with 1 where there is a fault.

    Example: discover doctor --survey atoll

    Parameters
    ----------
    deep
        Read all pages of all shards, and look for the files of all frames.
    """
    from discover.doctor import examine, finding_lines

    with working("looking at the computer") as stage:
        found = examine(survey, deep=deep, stage=stage)
    faults = sum(finding.state == "fault" for finding in found)
    if as_json:
        checks = [dataclasses.asdict(finding) for finding in found]
        print_json({"sound": not faults, "faults": faults, "checks": checks})
    else:
        for line in finding_lines(found):
            say(line)
    if faults:
        sys.exit(1)
