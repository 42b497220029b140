"""`discover bursts`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from classify.console import print_json, say, stages
from classify.errors import UserError
from discover.commands.options import HERE, Json, SurveyDir
from discover.survey import Survey, open_survey


def bursts(
    *,
    window: str = "5",
    neighbours: int = 6,
    proof: float = 0.5,
    overlap: float = 0.5,
    explain: Annotated[tuple[str, str] | None, Parameter(negative=())] = None,
    out: Path | None = None,
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Find the frames that show the same scene, with proof, and the sharpest of each burst.

    Needs neither times nor names that say anything: where the order is not known, it is recovered.
    A run that was stopped goes on where it was; frames that are added later cost only themselves.

    Example: discover bursts --window 10s --survey atoll

    Parameters
    ----------
    window
        How far ahead in its dive a frame is compared: a number of frames, or seconds,
        as in 10s, in dives with times.
    neighbours
        Frames of like looks, in any dive, that a frame is compared with.
    proof
        Probability of one scene from which on two frames are linked.
    overlap
        Share of each other's picture that the frames of a burst show, at least.
    explain
        Two frames, by id or path: draw what speaks for one scene, and say the verdict.
    out
        Picture that --explain writes; by default named after the frames, in the current folder.
    """
    opened = open_survey(survey)
    if explain is not None:
        _explain(opened, explain, out, as_json)
        return
    frames, seconds = _window(window)
    from discover.bursts import BurstConfig, find_bursts

    config = BurstConfig(frames, seconds, neighbours, proof, overlap)
    with stages(silent=as_json) as begin:
        run = find_bursts(opened, config, stage=begin)
    counts = run.info["counts"]
    if as_json:
        print_json({"run": run.name, **counts, **run.info["timings"]})
        return
    say(
        f"{counts['frames']} frames of {counts['dives']} dives in {counts['bursts']} bursts: "
        f"bursts/{run.name}"
    )
    say(f"  {counts['in_bursts']} frames share a burst, the largest has {counts['largest']}")
    say(
        f"  {counts['pairs']} of {counts['compared']} pairs compared are proven, "
        f"{counts['pairs_across_dives']} of them across dives"
    )
    if counts["without_order"]:
        say(f"  {counts['without_order']} frames have no place in their dive")
    if counts["unreadable"]:
        say(f"  {counts['unreadable']} frames could not be read and are in no burst")
    say(f"  how proof was told from chance: {run.path / 'evidence.html'}")


def _window(text: str) -> tuple[int, float | None]:
    """Return frames and seconds; seconds are None where frames were asked for.

    Frames stand in for seconds in dives without times.
    """
    try:
        return (5, float(text[:-1])) if text.endswith("s") else (int(text), None)
    except ValueError:
        raise UserError(
            f"--window {text!r} is neither a number of frames nor seconds, as in 10s"
        ) from None


def _explain(survey: Survey, frames: tuple[str, str], out: Path | None, as_json: bool) -> None:
    from PIL import Image

    from discover.scenes.explain_pair import explain_pair

    found = explain_pair(survey, *frames)
    out = out or Path(f"pair-{Path(frames[0]).stem}-{Path(frames[1]).stem}.png")
    out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(found.picture).save(out)
    if as_json:
        shown = {"probability": found.probability, "inliers": found.proof.inliers}
        shared = {"overlap": found.proof.overlap, "overlap_back": found.proof.overlap_back}
        print_json({**shown, **shared, "verdict": found.verdict, "picture": str(out)})
        return
    say(found.verdict)
    say(f"picture: {out}")
