"""`discover explore`."""

from classify.console import say
from discover.commands.options import HERE, SurveyDir
from discover.survey import open_survey


def explore(
    *,
    host: str = "127.0.0.1",
    port: int = 8050,
    annotator: str | None = None,
    open_browser: bool = False,
    survey: SurveyDir = HERE,
) -> None:
    """Serve the page on which a person looks at the clusters and names them.

    Example: discover explore --survey atoll --port 8051

    Parameters
    ----------
    host
        Address to listen on; only this computer's own for now.
    port
        Port to listen on.
    annotator
        Name that verdicts are kept under; by default the user's.
    open_browser
        Open the page in the browser.
    """
    opened = open_survey(survey)
    from app.server import serve

    serve(opened, host=host, port=port, annotator=annotator, open_browser=open_browser, ready=say)
