"""Frames per second of `classify predict` from 4K JPEGs, beside a plain loop over the same files.

Both name each frame with the same classifier. The plain loop decodes with Pillow at full size,
resizes, and runs float32, one image at a time. Medians over repeats, in turn, in one process; the
peak of the memory that Python and the libraries take is measured in a process for each number of
files.

    python benchmarks/predict_throughput.py [--frames 48] [--repeats 3]
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from embed_throughput import make_inputs
from PIL import Image
from record import record

from classify.model import load_classifier
from classify.predict import predict_images


@torch.inference_mode()
def plain_loop(run: Path, paths: list[Path]) -> list[str]:
    """Name all files the plain way."""
    model = load_classifier(run)
    size = (model.config.width, model.config.height)
    named = []
    for path in paths:
        image = Image.open(path).convert("RGB").resize(size)
        logits = model(torch.from_numpy(np.array(image)[None])).logits
        named.append(model.config.classes[int(logits.argmax())])
    return named


def peak_megabytes(model: Path, paths: list[Path]) -> float:
    """Return the peak resident memory of a process that names `paths`."""
    files = [str(path) for path in paths]
    command = [sys.executable, __file__, "--measure", str(model), *files]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def measure(model: Path, paths: list[Path]) -> None:
    """Name `paths` and print the peak memory of this process."""
    predict_images(model, paths)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    """Print and record the table."""
    if sys.argv[1:2] == ["--measure"]:
        measure(Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    plain, fast = [], []
    with tempfile.TemporaryDirectory() as name:
        paths, run = make_inputs(Path(name), arguments.frames)
        plain_loop(run, paths[:8])  # both are warm when the clock starts
        predict_images(run, paths[:8])
        for _ in range(arguments.repeats):
            start = time.perf_counter()
            slow = plain_loop(run, paths)
            plain.append(len(paths) / (time.perf_counter() - start))
            start = time.perf_counter()
            table = predict_images(run, paths)
            fast.append(len(paths) / (time.perf_counter() - start))
        agree = float(np.mean(np.array(slow) == table["class"].to_numpy()))
        memory = [round(peak_megabytes(run, paths * times)) for times in (1, 4)]
    ratios = [f / p for f, p in zip(fast, plain, strict=True)]
    record(
        "Throughput of `classify predict` from 3840x2160 JPEGs",
        ["plain loop, frames/s", "classify predict, frames/s", "times as fast", "peak memory, MB"],
        [
            [
                f"{statistics.median(plain):.1f}",
                f"{statistics.median(fast):.1f}",
                f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})",
                f"{memory[0]} for {len(paths)} files, {memory[1]} for {4 * len(paths)}",
            ]
        ],
        f"{len(paths)} rendered frames, EfficientNet-Lite0 at 512x352, median of "
        f"{arguments.repeats} repeats in turn, loading the model included in both. "
        f"The two agree on {agree:.0%} of the frames.",
    )


if __name__ == "__main__":
    main()
