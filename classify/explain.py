"""What made a frame "waste": saliency maps by any method, laid over the frame."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from classify.device import best_device, place
from classify.images import ImageError, Pixels, read_image
from classify.model import Classifier, Output, as_batch, class_maps, load_classifier
from classify.runs import RunError
from classify.stored import prepared

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
Heat = npt.NDArray[np.float32]
EXACT = "cam"  # the deciding head's own map, from the forward pass alone
LOCATOR = "locator"  # the map by which crops are cut
LIBRARY = {  # name: class of pytorch-grad-cam
    "grad-cam": "GradCAM",
    "grad-cam++": "GradCAMPlusPlus",
    "hires-cam": "HiResCAM",
    "layer-cam": "LayerCAM",
    "eigen-cam": "EigenCAM",
    "eigen-grad-cam": "EigenGradCAM",
    "xgrad-cam": "XGradCAM",
    "ablation-cam": "AblationCAM",
    "score-cam": "ScoreCAM",
}
METHODS = (EXACT, LOCATOR, *LIBRARY)
_OPACITY = 0.5
_SHEET_ROWS = 6


@dataclass(frozen=True)
class Explanation:
    """Why the classifier named a class.

    Attributes:
        class_name: the class that is explained.
        probability: of that class.
        heat: float32 [rows, cols] over the part of the frame that is looked at, 0 to 1.
        overlay: uint8 RGB, the frame with the heat laid over it.
    """

    class_name: str
    probability: float
    heat: Heat
    overlay: Pixels


class Explainer:
    """A classifier and a method by which its decisions are explained.

    "cam" is exact for this classifier and needs no backward pass (Zhou et al. 2016,
    arXiv:1512.04150); "locator" is the map by which crops are cut; the others are those of
    pytorch-grad-cam, for comparison. A vehicle is not hidden here, even where the classifier hides
    it: that takes the other frames of the dive.
    """

    def __init__(self, run: Path, *, method: str = EXACT) -> None:
        check_method(method)
        self.model: Classifier = load_classifier(run)
        place(self.model)
        self._method = method

    def __call__(
        self, path: Path, *, class_name: str | None = None, task: str | None = None
    ) -> Explanation:
        """Explain one image.

        Args:
            path: the image.
            class_name: the class to explain; None takes the likeliest of the task.
            task: "floor" or "elements"; None takes that of the class, or the main one.

        Raises:
            ImageError: the file cannot be read.
            RunError: the classifier does not know the class.
        """
        frame = read_image(path, min_side=self.model.config.min_side)
        images = as_batch([self.model.prepare(frame.pixels)], best_device())
        with torch.inference_mode():
            output = self.model(images)
        probabilities = self.model.probabilities(output.logits)[0]
        number = self._number(class_name, task, probabilities)
        heat = _stretched(maps_by(self._method, self.model, images, output, [number])[0])
        return Explanation(
            self.model.config.classes[number],
            float(probabilities[number]),
            heat,
            self._overlay(frame.pixels, heat),
        )

    def _number(self, class_name: str | None, task: str | None, probabilities: Tensor) -> int:
        config = self.model.config
        tasks = [task] if task is not None else list(config.heads)
        if class_name is None:
            span = config.span(task or config.main_task)
            return span.start + int(probabilities[span].argmax())
        for name in tasks:
            if class_name in config.heads[name]:
                return config.span(name).start + config.heads[name].index(class_name)
        raise RunError(f"--class {class_name!r} is none of {', '.join(config.classes)}")

    def _overlay(self, pixels: Pixels, heat: Heat) -> Pixels:
        """Lay the heat, in colours, over the part of the frame that the model looks at."""
        import cv2

        x, y, w, h = self.model.window(pixels.shape[1], pixels.shape[0])
        large = cv2.resize(heat, (w, h), interpolation=cv2.INTER_CUBIC).clip(0, 1)
        coloured = cv2.applyColorMap((large * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
        part = pixels[y : y + h, x : x + w].astype(np.float32)
        share = (_OPACITY * large)[..., None]  # cold places stay as they are
        drawn = pixels.copy()
        drawn[y : y + h, x : x + w] = part * (1 - share) + coloured[..., ::-1] * share
        return drawn


def check_method(method: str) -> None:
    """Raise a RunError where `method` is none of `METHODS`."""
    if method not in METHODS:
        raise RunError(f"--method {method!r} is none of {', '.join(METHODS)}")


def maps_by(
    method: str, model: Classifier, images: Tensor, output: Output, numbers: Sequence[int]
) -> Heat:
    """Return where one class of each image is, by any method and for any backbone.

    Args:
        method: one of `METHODS`.
        model: the classifier; transformers and channels-last networks too, since the methods work
            on the map that its trunk has already brought to [channels, rows, cols].
        images: prepared images, uint8 [n, h, w, 3]; only methods of pytorch-grad-cam look at them.
        output: the classifier's output for them.
        numbers: the class of each image, as its place among the logits.

    Returns:
        float32 [n, rows, cols]: as coarse as the trunk's map, from the forward pass alone, for
        "cam" and "locator"; as fine as the images, and 0 to 1, for the others.
    """
    if method not in (EXACT, LOCATOR):
        return _grad_cam(model, images, numbers, method)
    with torch.no_grad():
        maps = class_maps(output.features, model.head) if method == EXACT else output.maps
    return np.asarray(maps[range(len(maps)), list(numbers)].float().cpu().numpy(), np.float32)


def _stretched(heat: Heat) -> Heat:
    low, high = float(heat.min()), float(heat.max())
    return np.asarray((heat - low) / max(high - low, 1e-9), np.float32)


class _Logits(nn.Module):
    """The classifier as pytorch-grad-cam wants it: normalised float images in, logits out."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model
        self.last = nn.Identity()  # its output is the map that the methods hook into

    def forward(self, images: Tensor) -> Tensor:
        return self.model.classify(self.last(self.model.trunk.last_map(images))).logits


def _grad_cam(model: Classifier, images: Tensor, numbers: Sequence[int], method: str) -> Heat:
    import pytorch_grad_cam as library
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    wrapped = _Logits(model).eval()
    with getattr(library, LIBRARY[method])(wrapped, [wrapped.last]) as explain:
        normalised = model.trunk.normalised(images)
        targets = [ClassifierOutputTarget(number) for number in numbers]
        return np.asarray(explain(normalised, targets), np.float32)


def explain_images(
    run: Path,
    paths: list[Path],
    out: Path,
    *,
    method: str = EXACT,
    class_name: str | None = None,
    progress: Progress | None = None,
) -> list[tuple[Path, str, float]]:
    """Write an overlay for each image.

    Args:
        run: a finished training run.
        paths: the images; one that cannot be read is left out, with a line in the log.
        out: folder for the pictures.
        method: one of `METHODS`.
        class_name: the class to explain; None takes the likeliest of each image.
        progress: called with (images done, images in all).

    Returns:
        For each picture: its file, the class, and the class's probability.
    """
    import cv2

    explain = Explainer(run, method=method)
    out.mkdir(parents=True, exist_ok=True)
    written = []
    taken: set[Path] = set()
    for number, path in enumerate(paths, 1):
        try:
            found = explain(path, class_name=class_name)
        except ImageError as error:
            log.warning("skipped %s", error)
            continue
        target = out / f"{path.stem}-{found.class_name}.jpg"
        if target in taken:  # frames of two dives may have one name
            target = out / f"{path.stem}-{found.class_name}-{number}.jpg"
        taken.add(target)
        cv2.imwrite(str(target), found.overlay[..., ::-1])
        written.append((target, found.class_name, found.probability))
        if progress:
            progress(number, len(paths))
    return written


def save_contact_sheet(run: Path, paths: list[Path], out: Path, *, strength: float) -> Path:
    """Write what the training augmentation makes of images, as the classifier sees them.

    Returns:
        The picture: a row an image, the image itself first.
    """
    import cv2

    from classify.transforms import contact_sheet

    model = load_classifier(run)
    found = [image for path in paths[:_SHEET_ROWS] if (image := prepared(model, path)) is not None]
    if not found:
        raise RunError(f"IMAGES: none of {len(paths)} can be read, such as {paths[0]}")
    out.mkdir(parents=True, exist_ok=True)
    target = out / "augmentations.jpg"
    cv2.imwrite(str(target), contact_sheet(found, strength)[..., ::-1])
    return target
