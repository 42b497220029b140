"""`discover learn` and `discover predict`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from classify.console import print_json, say, working
from discover.commands.options import HERE, Json, SurveyDir
from discover.survey import open_survey


def learn(
    *,
    out: Path,
    class_name: Annotated[str | None, Parameter(name="--class")] = None,
    embeddings: str | None = None,
    seed: int = 0,
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Learn the kinds that people named, and suggest names for the other crops.

    A suggestion is never a label: it waits until a person takes it. How right the head is, is said
    of dives that it was not taught.

    Example: discover learn --class waste --out runs/waste-kinds

    Parameters
    ----------
    out
        Folder of the run; `discover predict --head OUT` names the crops of a new dive by it.
    class_name
        Only crops of this class; by default all that are named.
    embeddings
        Embeddings run; by default the latest.
    seed
        The same seed gives the same head.
    """
    opened = open_survey(survey)
    from discover.learn import LearnConfig
    from discover.learn import learn as learn_kinds

    with working("learning") as stage:
        run = learn_kinds(
            opened,
            out,
            config=LearnConfig(class_name, seed),
            embeddings=embeddings,
            stage=stage,
        )
    counts = run.info["counts"]
    suggested = opened.run("suggestions", run.info["suggestions"]).info["counts"]
    if as_json:
        print_json({"run": str(out), **counts, **suggested})
        return
    say(
        f"{counts['named']} named crops of {counts['kinds']} kinds; {counts['way']} "
        f"{counts['amount']:g} is best"
    )
    say(
        f"  right on another {counts['held_out_by']}: {counts['accuracy']:.0%}, kinds counting "
        f"alike {counts['balanced_accuracy']:.0%}; calibration error "
        f"{counts['calibration_error']:.2f}"
    )
    if counts["held_out_by"] == "scene":
        say("  all names are of one dive: on another it will be less")
    _say_suggested(run.info["suggestions"], suggested)
    say(f"  would more names help? {out / 'learning.html'}")


def predict(
    *,
    head: Path,
    embeddings: str | None = None,
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Suggest names for the crops of a survey, by a head that was learned before.

    Example: discover predict --head runs/waste-kinds --survey next-dive

    Parameters
    ----------
    head
        Folder that `discover learn` wrote.
    embeddings
        Embeddings run; by default the latest that was made as those of the head.
    """
    opened = open_survey(survey)
    from discover.learning.suggest import suggest

    run = suggest(opened, head, embeddings=embeddings)
    if as_json:
        print_json({"run": run.name, **run.info["counts"]})
        return
    _say_suggested(run.name, run.info["counts"])


def _say_suggested(name: str, counts: dict[str, int]) -> None:
    say(
        f"{counts['suggested']} crops without a name: {counts['sure']} surely of a kind, "
        f"{counts['unlike_anything']} unlike anything named: suggestions/{name}"
    )
