"""Flags of frames: recall on degraded copies, and how many real frames have each flag.

Give one folder or more of real frames. For the flags that need a dive, give the folder of the
frames of short dives and a CSV of them (columns image, video, frame).

    python benchmarks/quality_flags.py FOLDER... [--dives frames.csv]
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from record import record

from classify import effects
from classify.images import SUFFIXES, Pixels, read_image, resize
from discover.flags import FLAGS
from discover.quality import dive_flags, image_flags, image_statistics

EACH = 200  # frames of a folder
SIDE = 270  # rows at which frames are degraded
THUMBNAIL = 96
DIVES, EVERY = 40, 5  # dives that are looked at; in each every fifth frame is degraded


def out_of_focus(pixels: Pixels, _rng: np.random.Generator) -> Pixels:
    return effects.blur(pixels, 3.0)


def moved(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Smear over 20 of 270 rows, in any direction."""
    step = np.array([np.cos(angle := rng.uniform(0, np.pi)), np.sin(angle)]) * 10
    kernel = np.zeros((41, 41), np.float32)
    start, end = np.rint(20 - step).astype(int).tolist(), np.rint(20 + step).astype(int).tolist()
    cv2.line(kernel, start, end, 1.0, 1, cv2.LINE_AA)
    return cv2.filter2D(pixels, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)


def two_fields(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Weave with what is seen 1/50 s later: 2 to 8 pixels on."""
    woven = pixels.copy()
    woven[1::2] = np.roll(pixels[1::2], int(rng.integers(2, 9)), axis=1)
    return woven


def tinted(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    gain = np.array([0.15, 0.6, 1.0])[rng.permutation(3)]
    return (pixels * gain).astype(np.uint8)


DEGRADED: dict[str, tuple[str, Callable[[Pixels, np.random.Generator], Pixels]]] = {
    "a sixth of the light": ("dark", lambda p, _: effects.brightness(p, 1 / 6)),
    "three times the light": ("over-exposed", lambda p, _: effects.brightness(p, 3.0)),
    "out of focus, sigma 3 of 270 rows": ("blurred", out_of_focus),
    "moved by 20 of 270 rows": ("blurred", moved),
    "two fields, 2 to 8 pixels apart": ("interlaced", two_fields),
    "two colours of three weakened": ("colour-cast", tinted),
}


def small(file: Path) -> Pixels:
    """Return the frame at 270 rows."""
    pixels = read_image(file, min_side=SIDE).pixels
    return resize(pixels, round(SIDE * pixels.shape[1] / pixels.shape[0]), SIDE)


def lettering(pixels: Pixels) -> Pixels:
    """Return where telemetry is, which no lens blurs, bool [h, w]."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    thin = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, np.ones((7, 7), np.uint8)) > 70
    return cv2.dilate(thin.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0


def degrade(pixels: Pixels, name: str, rng: np.random.Generator) -> Pixels:
    """Degrade as the lens would, with noise and lettering on top, and compress."""
    flag, change = DEGRADED[name]
    changed = change(pixels, rng)
    if flag == "blurred":
        noisy = changed + rng.normal(0, 1, pixels.shape)
        changed = np.where(lettering(pixels)[..., None], pixels, noisy.clip(0, 255))
    return effects.jpeg(changed.astype(np.uint8), 88)


def of_single_frames(folders: list[Path]) -> None:
    rng = np.random.default_rng(0)
    rows = {name: [name, flag] for name, (flag, _) in DEGRADED.items()}
    shares = {flag: [f"share of real frames: {flag}", ""] for flag, _ in DEGRADED.values()}
    counts = []
    for folder in folders:
        files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
        files = [
            files[i] for i in np.linspace(0, len(files) - 1, min(EACH, len(files))).astype(int)
        ]
        counts.append(f"{folder.name}, {len(files)}")
        clean = [image_flags(image_statistics(read_image(file).pixels)) for file in files]
        for flag, row in shares.items():
            row.append(f"{np.mean([flag in flags for flags in clean]):.1%}")
        frames = [small(file) for file in files]
        for name, (flag, _) in DEGRADED.items():
            found = [flag in image_flags(image_statistics(degrade(p, name, rng))) for p in frames]
            rows[name].append(f"{np.mean(found):.1%}")
    record(
        "Flags of single frames",
        ["degraded copies: recall", "flag", *counts],
        [*rows.values(), *shares.values()],
        "Blurred copies keep their lettering sharp and get new noise; all are compressed again. "
        "The shares below are of real frames as they are, some of which are blurred, "
        "over-exposed or under one colour.",
    )


def of_dives(folder: Path, table: Path) -> None:
    rng = np.random.default_rng(0)
    frames = pd.read_csv(table, dtype={"video": str})
    frames = frames[frames.groupby("video")["image"].transform("size") >= 15]
    dives = sorted(frames["video"].unique())
    dives = [dives[i] for i in np.linspace(0, len(dives) - 1, min(DIVES, len(dives))).astype(int)]
    clean: list[list[str]] = []
    seen: dict[str, list[bool]] = {"repeated": [], "moved by 20 of 270 rows": []}
    for dive in dives:
        names = frames[frames["video"] == dive].sort_values("frame")["image"]
        pictures = [small(next(folder.rglob(name))) for name in names]
        clean += _flags(pictures)
        picked = range(2, len(pictures), EVERY)
        blurred = [
            degrade(p, "moved by 20 of 270 rows", rng) if n in picked else p
            for n, p in enumerate(pictures)
        ]
        found = _flags(blurred)
        alone = [image_flags(image_statistics(blurred[n])) for n in picked]
        seen["moved by 20 of 270 rows"] += [
            "blurred" in [*found[n], *flags] for n, flags in zip(picked, alone, strict=True)
        ]
        held = [pictures[n - n % EVERY] for n in range(len(pictures))]  # the video stops
        held = [effects.jpeg(p, int(rng.integers(60, 95))) for p in held]
        found = _flags(held)
        seen["repeated"] += ["frozen" in f for n, f in enumerate(found) if n % EVERY]
    rows = [
        ["repeated, compressed anew", "frozen", f"{np.mean(seen['repeated']):.1%}"],
        ["moved by 20 of 270 rows", "blurred, alone or by its dive",
         f"{np.mean(seen['moved by 20 of 270 rows']):.1%}"],
    ]  # fmt: skip
    shares = [
        [f"share of real frames: {flag}", "", f"{np.mean([flag in f for f in clean]):.1%}"]
        for flag in FLAGS
        if any(flag in f for f in clean)
    ]
    record(
        "Flags of frames by their dive",
        ["degraded copies: recall", "flag", f"{len(clean)} frames of {len(dives)} dives"],
        rows + shares,
        "Every fifth frame is blurred, or holds the picture of the frames after it.",
    )


def _flags(pictures: list[Pixels]) -> list[list[str]]:
    fineness = [image_statistics(p)["fineness"] for p in pictures]
    width = round(THUMBNAIL * pictures[0].shape[1] / SIDE)
    thumbnails = np.stack([resize(p, width, THUMBNAIL) for p in pictures])
    return dive_flags(pd.DataFrame({"fineness": fineness}), thumbnails)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--dives", type=Path, help="CSV of the first folder's frames")
    args = parser.parse_args()
    of_single_frames(args.folders)
    if args.dives is not None:
        of_dives(args.folders[0], args.dives)


if __name__ == "__main__":
    main()
