"""The command `discover`: each verb calls one library function and says where the result is."""

from cyclopts import App
from cyclopts.config import Env

from classify.console import configure, run
from discover.commands.adapt import adapt
from discover.commands.add import add
from discover.commands.bursts import bursts
from discover.commands.calibrate import calibrate
from discover.commands.cluster import cluster
from discover.commands.counts import counts
from discover.commands.demo import demo
from discover.commands.doctor import doctor
from discover.commands.embed import embed
from discover.commands.explore import explore
from discover.commands.export import export
from discover.commands.label import label
from discover.commands.leaks import leaks
from discover.commands.learn import learn, predict
from discover.commands.report import report
from discover.commands.similar import similar
from discover.commands.split import split
from discover.commands.status import status
from discover.commands.users import users
from discover.survey import SETTINGS_FILE

_PREFIX = "DISCOVER_"  # of the environment variables

app = App(
    name="discover",
    help="Find out what is in ROV footage: cut out what matters, find its kinds, name them.",
    version_flags=["--version"],
)
configure(app, SETTINGS_FILE, _PREFIX, folder_option="--survey")
for verb in (
    add,
    bursts,
    calibrate,
    embed,
    adapt,
    cluster,
    report,
    similar,
    learn,
    predict,
    explore,
    split,
    leaks,
    counts,
    demo,
    status,
    doctor,
):
    app.command(verb)
app.command(label)
app.command(export)
app.command(users)
app["doctor"].config = (Env(_PREFIX, command=True),)  # not by the settings, which it checks


def main() -> None:
    """Run the command line."""
    run(app)
