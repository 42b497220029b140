"""`discover label tree`: the subcategories, and what is done to them."""

from pathlib import Path

from cyclopts import App

from classify.console import print_json, say
from discover.commands.labelling import Annotator, opened_labels, say_event
from discover.commands.options import HERE, Json, SurveyDir
from discover.labels import user_name
from discover.naming.database import LabelError
from discover.naming.events import By
from discover.survey import open_survey

tree = App(name="tree", help="The tree of subcategories: show it, bring one in, change it.")


@tree.command
def show(*, survey: SurveyDir = HERE, as_json: Json = False) -> None:
    """Print the subcategories, with their codes and how many crops bear them.

    Example: discover label tree show
    """
    with opened_labels(open_survey(survey)) as labels:
        found, counts = labels.tree(), labels.decided()["subcategory"].value_counts()
    nodes = found.walk()
    if as_json:
        rows = [
            {"id": n.id, "path": list(found.path(n.id)), "colour": n.colour, "codes": n.codes,
             "crops": int(counts.get(n.id, 0))}
            for n in nodes
        ]  # fmt: skip
        print_json(rows)
        return
    for node in nodes:
        codes = "".join(f"  {name}={code}" for name, code in node.codes.items())
        indent = "  " * (len(found.path(node.id)) - 1)
        say(f"{counts.get(node.id, 0):>7,}  {indent}{node.name}{codes}")
    if not nodes:
        say(
            "no subcategories yet: discover label tree add NAME, or discover label tree import FILE"
        )


@tree.command
def add(
    path: str,
    *,
    colour: str | None = None,
    code: list[str] | None = None,
    annotator: Annotator = None,
    survey: SurveyDir = HERE,
) -> None:
    """Add a subcategory, or give one its colour and codes.

    Example: discover label tree add "Asteroidea > Asterias rubens" --code AphiaID=123776

    Parameters
    ----------
    path
        A name, or a path such as "A > B".
    colour
        Such as #1f77b4.
    code
        NAME=CODE of any vocabulary; several times for several; an empty code takes one away.
    """
    from discover.naming import subcategories

    codes = _codes(code) if code else None
    with opened_labels(open_survey(survey)) as labels, labels.write() as writer:
        by = By(annotator or user_name())
        say_event(subcategories.add(writer, path, by, colour=colour, codes=codes))


@tree.command
def rename(which: str, name: str, *, annotator: Annotator = None, survey: SurveyDir = HERE) -> None:
    """Rename a subcategory; its crops keep it.

    Example: discover label tree rename "plastic bag" "plastic bags"

    Parameters
    ----------
    which
        Its name, path or id.
    name
        The new name.
    """
    from discover.naming import subcategories

    with opened_labels(open_survey(survey)) as labels, labels.write() as writer:
        say_event(subcategories.rename(writer, which, name, By(annotator or user_name())))


@tree.command
def move(
    which: str, parent: str | None = None, *, annotator: Annotator = None, survey: SurveyDir = HERE
) -> None:
    """Put a subcategory below another; without PARENT at the top.

    Example: discover label tree move "plastic bag" plastic

    Parameters
    ----------
    which
        Its name, path or id.
    parent
        The subcategory above it.
    """
    from discover.naming import subcategories

    with opened_labels(open_survey(survey)) as labels, labels.write() as writer:
        say_event(subcategories.move(writer, which, parent, By(annotator or user_name())))


@tree.command
def merge(which: str, into: str, *, annotator: Annotator = None, survey: SurveyDir = HERE) -> None:
    """Give the crops of a subcategory to another, and take it out of the tree.

    Example: discover label tree merge "plastic sack" "plastic bag"

    Parameters
    ----------
    which
        The one that goes.
    into
        The one that stays.
    """
    from discover.naming import subcategories

    with opened_labels(open_survey(survey)) as labels, labels.write() as writer:
        say_event(subcategories.merge(writer, which, into, By(annotator or user_name())))


@tree.command
def remove(which: str, *, annotator: Annotator = None, survey: SurveyDir = HERE) -> None:
    """Take a subcategory that no crop bears out of the tree.

    Example: discover label tree remove "plastic sack"

    Parameters
    ----------
    which
        Its name, path or id.
    """
    from discover.naming import subcategories

    with opened_labels(open_survey(survey)) as labels, labels.write() as writer:
        say_event(subcategories.remove(writer, which, By(annotator or user_name())))


@tree.command(name="import")
def bring(
    file: Path,
    *,
    annotator: Annotator = None,
    survey: SurveyDir = HERE,
) -> None:
    """Bring subcategories in; what is in the tree already stays.

    Example: discover label tree import labels.csv

    Parameters
    ----------
    file
        A BIIGLE label tree (.zip); a CSV with path, or name and parent, of which further columns
        are codes; or a list with a name or a path "A > B" a line.
    """
    from discover.naming.tree_files import import_tree

    with opened_labels(open_survey(survey)) as labels, labels.write() as writer:
        say_event(import_tree(writer, file, By(annotator or user_name())))


def _codes(given: list[str]) -> dict[str, str]:
    codes = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise LabelError(f"--code {text!r} is not NAME=CODE, such as AphiaID=123776")
        codes[name] = value
    return codes
