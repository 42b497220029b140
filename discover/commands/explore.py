"""`discover explore`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from classify.console import say
from discover.commands.options import HERE, SurveyDir
from discover.survey import open_survey


def explore(
    *,
    host: str = "127.0.0.1",
    port: int = 8050,
    annotator: str | None = None,
    users: Path | None = None,
    token: str | None = None,
    token_role: Literal["viewer", "annotator", "admin"] = "annotator",
    name: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    behind_proxy: Annotated[bool, Parameter(negative=())] = False,
    open_browser: bool = False,
    survey: SurveyDir = HERE,
) -> None:
    """Serve the page on which a person looks at the clusters and names them.

    Other computers reach it by --host, and then everybody signs in: --users or --token. The page
    speaks plain http, so that between computers a reverse proxy should bring TLS: let it pass Host
    on and set X-Forwarded-For and X-Forwarded-Proto, listen on 127.0.0.1, and give --behind-proxy
    and the public name by --name.

    Example: discover explore --survey atoll --port 8051

    Example: discover explore --survey atoll --host 0.0.0.0 --users users.toml

    Parameters
    ----------
    host
        Address to listen on; 0.0.0.0 is all that this computer has.
    port
        Port to listen on; 0 takes a free one.
    annotator
        Name that verdicts are kept under where nobody signs in; by default the user's.
    users
        File of those who may sign in, made by discover users add.
    token
        What a team shares instead: whoever has it gives a name and comes in; 16 characters or more.
        auto makes one and prints the address that carries it. Others on this computer see what a
        command line holds: DISCOVER_EXPLORE_TOKEN is not seen.
    token_role
        Role of those who have the token: viewer looks, annotator decides too, admin starts jobs.
    name
        Further name that browsers ask for the page by, such as rov.example or rov.example:9000;
        give it once for each. What asks for another is refused.
    behind_proxy
        All requests come from a reverse proxy: believe its X-Forwarded-For and X-Forwarded-Proto.
    open_browser
        Open the page in the browser.
    """
    opened = open_survey(survey)
    from app.server import serve
    from app.signing.access import access_by

    serve(
        opened,
        host=host,
        port=port,
        annotator=annotator,
        access=access_by(users=users, token=token, token_role=token_role),
        names=name,
        behind_proxy=behind_proxy,
        open_browser=open_browser,
        ready=say,
    )
