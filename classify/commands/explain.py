"""`classify explain`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from classify.commands.options import Flag, Json
from classify.console import print_json, say, stages


def explain(
    model: Path,
    images: Annotated[list[Path], Parameter(consume_multiple=True)],
    /,
    *,
    out: Path = Path("explained"),
    method: str = "cam",
    class_name: Annotated[str | None, Parameter(name="--class")] = None,
    augmentations: Flag = False,
    augment: float = 1.0,
    as_json: Json = False,
) -> None:
    """Show what made a frame "waste": the saliency map laid over it.

    Example: classify explain runs/elements dive12/frame_0007.jpg --method grad-cam

    Parameters
    ----------
    model
        A finished run of `classify train`.
    images
        Images, or folders of images.
    out
        Folder for the pictures.
    method
        cam (exact for these classifiers, and fast), locator (the map by which crops are cut), or
        one of pytorch-grad-cam: grad-cam, grad-cam++, hires-cam, layer-cam, eigen-cam,
        eigen-grad-cam, xgrad-cam, ablation-cam, score-cam.
    class_name
        The class to explain; by default the likeliest of each image.
    augmentations
        Save a contact sheet of the training augmentation instead.
    augment
        Strength of the augmentation on the sheet, 0 to 2.
    as_json
        Print the result for machines.
    """
    from classify.explain import explain_images, save_contact_sheet
    from classify.predict import find_images

    paths = find_images(images)
    if augmentations:
        sheet = save_contact_sheet(model, paths, out, strength=augment)
        if as_json:
            print_json({"sheet": str(sheet)})
        else:
            say(f"contact sheet: {sheet}")
        return
    with stages(silent=as_json) as begin:
        written = explain_images(
            model, paths, out, method=method, class_name=class_name, progress=begin("explaining")
        )
    if as_json:
        print_json([{"picture": str(p), "class": c, "probability": q} for p, c, q in written])
        return
    for target, name, probability in written[:20]:
        say(f"{target}  {name} {probability:.2f}")
    say(f"{len(written)} picture{'s' * (len(written) != 1)} in {out}")
