"""Frames per second of `discover embed` from 4K JPEGs, beside a plain loop over the same files.

Both do the same work with the same weights: classify a frame, cut out the evidence for its class,
embed the crop. The plain loop decodes with Pillow at full size and runs float32, one image at a
time; `embed` does what the project does. Medians over repeats, in turn, in one process.

    python benchmarks/embed_throughput.py [--frames 48] [--repeats 3]
"""

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from record import record

from classify.backbones import BUNDLED, feature_map, load_backbone, normalisation
from classify.images import Decoded
from classify.model import load_classifier
from classify.settings import TrainConfig
from classify.train import train
from discover.crops import crop_pixels, cut_region
from discover.demo.survey import render_survey
from discover.embed import embed
from discover.frames import add_frames
from discover.regions import ClassifierRegions, WholeFrame
from discover.saliency import SaliencyConfig, find_regions
from discover.survey import open_survey

SIZE = (2160, 3840)


def make_inputs(folder: Path, frames: int) -> tuple[list[Path], Path]:
    """Render 4K frames, and train a small classifier on a few of them."""
    source = render_survey(folder / "source", dives=3, frames_per_dive=8, size=SIZE)
    originals = sorted(source.rglob("*.jpg"))
    footage = folder / "footage" / "dive"
    footage.mkdir(parents=True)
    for number in range(frames):
        shutil.copy(originals[number % len(originals)], footage / f"{number:04d}.jpg")
    truth = (
        pd.read_parquet(source / "truth.parquet").drop_duplicates("path").dropna(subset="element")
    )
    labels = pd.DataFrame(
        {"image": truth["path"], "label": truth["element"], "dive": truth["dive"]}
    )
    labels.to_csv(source / "labels.csv", index=False)
    config = TrainConfig(split="random", strength=0.01)  # its score is of no interest here
    train(source / "labels.csv", folder / "model", config=config)
    return sorted(footage.iterdir()), folder / "model"


class PlainLoop:
    """Pillow at full size, float32, one image at a time."""

    def __init__(self, model: Path, *, whole_frame: bool) -> None:
        self.classifier = load_classifier(model)
        self.backbone = load_backbone(BUNDLED, "bundled")
        mean, std = normalisation(self.backbone)
        self.mean, self.std = torch.tensor(mean).view(3, 1, 1), torch.tensor(std).view(3, 1, 1)
        self.whole_frame = whole_frame

    @torch.inference_mode()
    def __call__(self, paths: list[Path]) -> int:
        """Embed all files; return the number of crops."""
        return sum(self.one(path) for path in paths)

    def one(self, path: Path) -> int:
        """Embed one file; return the number of its crops."""
        image = np.asarray(Image.open(path).convert("RGB"))
        if self.whole_frame:
            self.vector(np.asarray(Image.fromarray(image).resize((224, 224))))
            return 1
        seen = self.classifier.prepare(image)
        output = self.classifier(torch.from_numpy(seen[None]))
        best = int(output.logits.argmax())
        window = self.classifier.window(image.shape[1], image.shape[0])
        frame = Decoded(image, image.shape[1], image.shape[0])
        masks = find_regions(output.maps[0, best].numpy(), seen, SaliencyConfig())
        for mask in masks:
            self.vector(crop_pixels(frame, cut_region(mask, window), size=224).pixels)
        return len(masks)

    def vector(self, pixels: np.ndarray) -> np.ndarray:
        """Return the embedding of one crop."""
        image = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255
        features = feature_map(self.backbone, ((image - self.mean) / self.std)[None])
        return features.mean(dim=(2, 3)).numpy()


def ours(folder: Path, paths: list[Path], model: Path, *, whole_frame: bool) -> float:
    """Return the seconds of `embed` into a new survey; adding the frames is not counted."""
    survey = open_survey(folder, create=True)
    add_frames(survey, paths)
    regions = WholeFrame() if whole_frame else ClassifierRegions(model)
    start = time.perf_counter()
    embed(survey, regions)
    return time.perf_counter() - start


def compare(folder: Path, paths: list[Path], model: Path, whole: bool, repeats: int) -> list[str]:
    """Return the table's figures for one job: both speeds, and the ratio with its range."""
    loop = PlainLoop(model, whole_frame=whole)
    plain, fast = [], []
    for repeat in range(repeats):
        start = time.perf_counter()
        loop(paths)
        plain.append(len(paths) / (time.perf_counter() - start))
        target = folder / f"survey-{whole}-{repeat}"
        fast.append(len(paths) / ours(target, paths, model, whole_frame=whole))
    ratios = [f / p for f, p in zip(fast, plain, strict=True)]
    return [
        f"{statistics.median(plain):.1f}",
        f"{statistics.median(fast):.1f}",
        f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as name:
        paths, model = make_inputs(Path(name), arguments.frames)
        rows = [
            [label, *compare(Path(name), paths, model, whole, arguments.repeats)]
            for label, whole in (("whole frame", True), ("classify, map, crop", False))
        ]
    record(
        "Throughput of `discover embed` from 3840x2160 JPEGs",
        ["job", "plain loop, frames/s", "discover embed, frames/s", "times as fast (range)"],
        rows,
        f"{arguments.frames} rendered frames, EfficientNet-Lite0, classifier input 352x512, "
        f"median of {arguments.repeats} repeats in turn. `embed` also averages the mirror image "
        "and writes its tables, which the loop does not.",
    )


if __name__ == "__main__":
    main()
