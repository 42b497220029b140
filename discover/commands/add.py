"""`discover add`."""

from pathlib import Path

from classify.console import print_json, progress, say
from classify.errors import UserError
from discover.commands.options import HERE, Json, SurveyDir
from discover.survey import open_survey


def add(
    *paths: Path,
    dive_from: str = "folder",
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Add the images in files and nested folders to a survey.

    Files that are in it already add nothing; a file that cannot be read is named and left out.

    Example: discover add footage/2024 --survey atoll

    Parameters
    ----------
    paths
        Image files, and folders that are searched at any depth.
    dive_from
        How a file's dive is told: folder (the name of its folder), a CSV with columns image,dive,
        or a regular expression whose first group, found in the path, is the dive.
    """
    from discover.frames import add_frames

    if not paths:
        raise UserError(
            "PATH is missing: name image files or folders, as in `discover add footage`"
        )
    opened = open_survey(survey, create=True)
    with progress("adding", silent=as_json) as advance:
        added = add_frames(opened, paths, dive_from=dive_from, progress=advance)
    if as_json:
        print_json(
            {
                "new": added.new,
                "known": added.known,
                "rejected": [{"file": str(f), "reason": r} for f, r in added.rejected],
            }
        )
        return
    say(f"{added.new} frames added, {added.known} known before, {len(added.rejected)} unreadable")
    for _, reason in added.rejected[:20]:
        say(f"  {reason}")
    if len(added.rejected) > 20:
        say(f"  and {len(added.rejected) - 20} more; --json lists them all")
