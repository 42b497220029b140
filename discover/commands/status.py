"""`discover status`."""

from classify.console import print_json, say
from discover.commands.options import HERE, Json, SurveyDir
from discover.summary import status_lines, survey_status
from discover.survey import open_survey


def status(*, survey: SurveyDir = HERE, as_json: Json = False) -> None:
    """Say what a survey holds and what to run next.

    Example: discover status --survey atoll
    """
    found = survey_status(open_survey(survey))
    if as_json:
        print_json(found)
        return
    for line in status_lines(found):
        say(line)
