"""The options that every command has."""

from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

_SHARED = Group("Every command", sort_key=9)
SurveyDir = Annotated[
    Path,
    Parameter(
        name="--survey",
        env_var="DISCOVER_SURVEY",
        group=_SHARED,
        help="Folder of the survey.",
    ),
]
Json = Annotated[
    bool,
    Parameter(name="--json", negative=(), group=_SHARED, help="Print the result for machines."),
]
HERE = Path()
