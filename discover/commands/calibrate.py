"""`discover calibrate`."""

from dataclasses import asdict
from pathlib import Path

from classify.console import print_json, progress, say
from discover.commands.options import Json


def calibrate(
    coco: Path,
    /,
    *,
    model: Path,
    images: Path | None = None,
    as_json: Json = False,
) -> None:
    """Tune where `discover embed` draws the line round an object, by a few that you boxed.

    30 boxed or outlined objects of several dives are enough. What is chosen is stored with the
    classifier and used from then on; options of `discover embed` go before it.

    Example: discover calibrate boxes.json --model runs/elements

    Parameters
    ----------
    coco
        COCO file with boxes or masks; the category, or its supercategory, is the class.
    model
        Run folder of `classify train`.
    images
        Folder of the images, or of their folders; by default that of the COCO file, or images/ in
        it.
    """
    from discover.calibrate import calibrate as choose
    from discover.saliency import CALIBRATION_FILE, SaliencyConfig

    with progress("calibrating", silent=as_json) as advance:
        done = choose(model, coco, images=images, progress=advance)
    if as_json:
        print_json(asdict(done))
        return
    say(f"{done.objects} objects in {done.frames} frames of {done.dives} dives")
    say(f"  mean IoU before             {done.before:.3f}")
    say(f"  after, dives left out       {done.left_out:.3f}")
    if done.config == SaliencyConfig():
        say("nothing is better on dives left out: the defaults stay")
        return
    say(f"  after, the same objects     {done.after:.3f}")
    changed = {
        name: value
        for name, value in done.config.to_dict().items()
        if value != getattr(SaliencyConfig(), name)
    }
    for name, value in changed.items():
        say(f"  {name:<10} {value}")
    say(f"stored in {model / CALIBRATION_FILE}; run `discover embed --model {model}` again")
