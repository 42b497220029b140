"""What `discover embed` costs from 4K JPEGs, beside a plain loop over the same files; and at 10^7.

The plain loop does the work of the first rows with the same weights: classify a frame, cut out the
evidence for its class, embed the crop. It decodes with Pillow at full size and runs float32, one
image at a time; `embed` does what the project does. Medians over repeats, in turn, in one process.
Processor time hardly depends on what else runs on the machine: the second table is made of it.

    python benchmarks/embed_throughput.py [--frames 48] [--repeats 3] [--threads 2]
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from record import record

from classify.backbones import BUNDLED, feature_map, load_backbone, normalisation
from classify.images import Decoded
from classify.model import load_classifier
from classify.runs import Run
from classify.settings import TrainConfig
from classify.train import train
from discover.crops import crop_pixels, cut_region
from discover.cutting.overlay import Overlays
from discover.cutting.regions import ClassifierRegions, WholeFrame
from discover.cutting.stored_regions import StoredRegions
from discover.demo.survey import render_survey
from discover.embed import EmbedConfig, embed
from discover.frames import CHUNK, add_frames
from discover.saliency import SaliencyConfig, find_regions
from discover.survey import Survey, open_survey

WHOLE, MAIN = "whole frame", "classify, map, crop"
AGAIN = "stored crops, embedded in another way"
POOLED = "the same with --pooled and --no-hide-overlay: more crops"
FRAMES, DIVES = 10_000_000, 10_000
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


@dataclass(frozen=True)
class Cost:
    """What a frame costs: seconds by the wall clock and of all processors; bytes a crop."""

    wall: float
    processor: float
    crops: float = 0  # a frame
    crop_bytes: float = 0
    vector_bytes: float = 0


class Meter:
    """Measures from the first frame that is done, as loading a network costs once, to the last."""

    def __init__(self) -> None:
        self._first: tuple[float, float, int] | None = None

    def __call__(self, done: int, _total: int) -> None:
        """Take note that so many frames are done."""
        now = time.perf_counter(), time.process_time(), done
        if self._first is None and done:
            self._first = now
        self._last = now

    def cost(self) -> Cost:
        """Return the cost of a frame."""
        assert self._first is not None
        wall, processor, frames = (b - a for a, b in zip(self._first, self._last, strict=True))
        return Cost(wall / frames, processor / frames)


def ours(folder: Path, paths: list[Path], model: Path) -> dict[str, Cost]:
    """Return what each job of `embed` costs in a new survey; adding the frames is not counted."""
    survey = open_survey(folder, create=True)
    add_frames(survey, paths)
    changed = EmbedConfig(context=0.2)
    jobs: dict[str, Callable[[Meter], Run]] = {
        WHOLE: lambda meter: embed(survey, WholeFrame(), progress=meter),
        MAIN: lambda meter: embed(survey, ClassifierRegions(model), progress=meter),
        AGAIN: lambda meter: embed(survey, StoredRegions(survey), config=changed, progress=meter),
        POOLED: lambda meter: embed(
            survey, ClassifierRegions(model), pooled=True, hide_overlay=False, progress=meter
        ),
    }
    return {name: _cost(survey, job, len(paths)) for name, job in jobs.items()}


def _cost(survey: Survey, job: Callable[[Meter], Run], frames: int) -> Cost:
    """Do one job, and weigh what it wrote."""
    meter = Meter()
    run = job(meter)
    crops = run.info["counts"]["crops"]
    tables = survey.crops_of(run), survey.table("embeddings", run.name)
    crop_bytes, vector_bytes = (
        sum(file.stat().st_size for file in table.files()) / crops for table in tables
    )
    return replace(
        meter.cost(), crops=crops / frames, crop_bytes=crop_bytes, vector_bytes=vector_bytes
    )


def overlay_cost(folder: Path, paths: list[Path]) -> float:
    """Return the processor seconds that the overlay of one dive takes, of the frames given."""
    survey = open_survey(folder, create=True)
    add_frames(survey, paths)
    start = time.process_time()
    Overlays(survey).of(paths[0].parent.name)
    return time.process_time() - start


def loop_cost(loop: PlainLoop, paths: list[Path]) -> Cost:
    """Return what a frame costs the plain loop, whose networks are loaded."""
    meter = Meter()
    for number, path in enumerate(paths, 1):
        loop.one(path)
        meter(number, len(paths))
    return meter.cost()


def measure(
    folder: Path, paths: list[Path], model: Path, repeats: int
) -> tuple[dict[str, list[Cost]], dict[str, list[Cost]]]:
    """Return the costs of the plain loop and of `embed`, by job, of every repeat."""
    loops = {WHOLE: PlainLoop(model, whole_frame=True), MAIN: PlainLoop(model, whole_frame=False)}
    plain: dict[str, list[Cost]] = {name: [] for name in loops}
    fast: dict[str, list[Cost]] = {}
    for repeat in range(repeats):
        for name, loop in loops.items():
            plain[name].append(loop_cost(loop, paths))
        for name, cost in ours(folder / f"survey-{repeat}", paths, model).items():
            fast.setdefault(name, []).append(cost)
    return plain, fast


def speeds(plain: dict[str, list[Cost]], fast: dict[str, list[Cost]]) -> list[list[str]]:
    """Return the rows of the first table."""
    rows = []
    for name, costs in fast.items():
        wall = statistics.median(cost.wall for cost in costs)
        processor = statistics.median(cost.processor for cost in costs)
        row = [name, "-", f"{1 / wall:.1f}", f"{1000 * processor:.0f}", "-"]
        if name in plain:
            ratios = [p.processor / f.processor for p, f in zip(plain[name], costs, strict=True)]
            row[1] = f"{1000 * statistics.median(p.processor for p in plain[name]):.0f}"
            row[4] = f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"
        rows.append(row)
    return rows


def at_scale(costs: list[Cost], overlay: float) -> list[list[str]]:
    """Return the rows of the second table: the main job, for `FRAMES` frames."""
    frame = statistics.median(cost.processor for cost in costs)
    hours = (FRAMES * frame + DIVES * overlay) / 3600
    crops = FRAMES * costs[0].crops
    return [
        ["frames/s a core", "1 / c", f"{1 / frame:.1f}"],
        ["core hours", "(n c + d o) / 3600", f"{hours:,.0f}"],
        ["hours of 128 cores", "core hours / 128", f"{hours / 128:,.1f}"],
        ["crops", "n k", f"{crops:,.0f}"],
        ["crops on disk", "n k b", f"{crops * costs[0].crop_bytes / 1e9:,.0f} GB"],
        ["vectors on disk", "n k v", f"{crops * costs[0].vector_bytes / 1e9:,.0f} GB"],
        ["shards a table", "n / 256", f"{FRAMES / CHUNK:,.0f}"],
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as name:
        paths, model = make_inputs(Path(name), arguments.frames)
        plain, fast = measure(Path(name), paths, model, arguments.repeats)
        overlay = overlay_cost(Path(name) / "overlay", paths)
    record(
        "What `discover embed` costs from 3840x2160 JPEGs",
        ["job", "plain loop, CPU ms a frame", "frames/s", "CPU ms a frame", "times less (range)"],
        speeds(plain, fast),
        f"{arguments.frames} rendered frames, EfficientNet-Lite0, classifier input 352x512, median "
        f"of {arguments.repeats} repeats in turn, {arguments.threads} threads, on a busy machine "
        "wherever frames/s are fewer than the processor time allows. `embed` also averages the "
        "mirror image and writes its tables, which the loop does not. Networks are loaded, and the "
        f"overlay of the dive is found ({overlay:.1f} CPU s), before the first frame.",
    )
    one = fast[MAIN][0]
    record(
        f"`discover embed` of {FRAMES:,} frames, computed",
        ["what", "formula", "value"],
        at_scale(fast[MAIN], overlay),
        f"From the row '{MAIN}' above: n = {FRAMES:,} frames, c = CPU seconds a frame, d = "
        f"{DIVES:,} dives, o = {overlay:.1f} CPU s for the overlay of each, k = {one.crops:.2f} "
        f"crops a frame, b = {one.crop_bytes:,.0f} and v = {one.vector_bytes:,.0f} bytes a crop.",
    )


if __name__ == "__main__":
    main()
