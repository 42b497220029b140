"""Balanced accuracy on dives not trained on: heads, tasks, and a few labels of a new dive.

A frozen backbone reads every image once; all heads below are fitted on the same features, in folds
that share no dive. Nothing is chosen by the fold that is scored.

    python benchmarks/across_dives.py elements --elements frames.csv --floor FOLDER
"""

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from record import record
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from classify import data as labelled
from classify.device import place
from classify.evaluate import score
from classify.head import (
    Features,
    Floats,
    Rows,
    Supervision,
    adapt_head,
    choose_strengths,
    fit_head,
    moments,
)
from classify.images import Pixels
from classify.model import Classifier, ModelConfig, load_classifier
from classify.robustness import poor_recording
from classify.splits import image_weights, inner_parts
from classify.stored import feature_maps, logits_of_maps, prepare_images
from classify.transforms import augmentation
from classify.views import with_views

Strength = float | dict[str, float] | None  # None: chosen by dives of the training images
SEEDS = (0, 1, 2)
FIXED = {"floor": 1e-3, "elements": 1e-2}  # penalties, where two heads are compared
LABELLED = (1, 2, 3, 5)  # bursts of each new dive
SAME_SCENE = 0.7  # cosine of centred features, below which a frame begins a new burst


@dataclass
class Set:
    """Labelled images and their averaged features.

    Attributes:
        table: columns `path, dive, burst` and the tasks.
        model: the classifier whose trunk read them; its heads are fitted anew for each fold.
        averaged: float16 [rows, channels, 1, 1].
    """

    table: pd.DataFrame
    model: Classifier
    averaged: Floats


def read(
    table: pd.DataFrame,
    config: ModelConfig,
    trunk: Path | None = None,
    change: Callable[[Pixels, int], Pixels] | None = None,
) -> Set:
    """Read all images once; `change` makes another image of each, given its row."""
    model = Classifier(config)
    if trunk is not None:
        model.trunk.load_state_dict(load_classifier(trunk).trunk.state_dict())
    model = model.eval()
    place(model)
    with tempfile.TemporaryDirectory() as folder:
        table, images = prepare_images(model, table, Path(folder))
        for row in range(len(images) if change else 0):
            images[row] = change(images[row], row)
        maps = feature_maps(model, images, Path(folder) / "maps")
        parts = [
            maps[i : i + 256].astype(np.float32).mean((2, 3)) for i in range(0, len(maps), 256)
        ]
    averaged = np.concatenate(parts).astype(np.float16)[..., None, None]
    return Set(table, model, averaged)


def folds(table: pd.DataFrame, task: str, number: int, seed: int = 0) -> list[tuple[Rows, Rows]]:
    """Return (train, test) rows by dive, or at random where dives are unknown."""
    labels = table[task].to_numpy()
    if table["dive"].isna().any():
        split = StratifiedKFold(number, shuffle=True, random_state=seed).split(labels, labels)
    else:
        grouped = StratifiedGroupKFold(number, shuffle=True, random_state=seed)
        split = grouped.split(labels, labels, table["dive"])
    return list(split)


def supervise(table: pd.DataFrame, config: ModelConfig, rows: Rows, seed: int = 0) -> Supervision:
    """Return targets and weights; weights are those of the training rows alone."""
    tasks = tuple(config.heads)
    by = "random" if table["dive"].isna().any() else "dive"
    parts = inner_parts(table.iloc[rows], tasks, by=by, seed=seed)
    return replace(supervise_few(table, config, rows), parts=[rows[part] for part in parts])


def fitted(
    data: Set, rows: Rows, strength: Strength = None, views: Floats | None = None
) -> tuple[Classifier, Features]:
    """Fit the heads on `rows`, and their `views`; None chooses the strength by dives among them."""
    features, known = (
        Features(data.averaged, "mean"),
        supervise(data.table, data.model.config, rows),
    )
    if views is not None:
        features, known = with_views(features, known, views[..., 0, 0])
    config = data.model.config
    if strength is None:
        strengths = choose_strengths(features, known, config)[0]
    else:
        strengths = (
            strength if isinstance(strength, dict) else dict.fromkeys(config.heads, strength)
        )
    fit_head(data.model.head, features, known.training, known, config, strengths)
    mean, deviation = moments(features, rows)
    data.model.feature_mean.copy_(mean)
    data.model.feature_deviation.copy_(deviation)
    return data.model, features


def balanced(
    logits: Floats, table: pd.DataFrame, rows: Rows, config: ModelConfig, task: str
) -> dict:
    """Return the scores of one task's logits for `rows`."""
    classes, span = config.heads[task], config.span(task)
    truth = np.array([classes.index(label) for label in table[task].iloc[rows]])
    return score(truth, logits[:, span].argmax(1), classes)


def cross(data: Set, task: str, number: int, seed: int = 0, strength: Strength = None) -> dict:
    """Return the scores over folds: each fold's balanced accuracy, and of all together."""
    config, table = data.model.config, data.table
    rows_of_task = np.flatnonzero(table[task].notna())
    each, all_logits = [], np.zeros((len(table), len(config.classes)), np.float32)
    for train, test in folds(table.iloc[rows_of_task], task, number, seed):
        others = np.flatnonzero(table[task].isna())  # the other task's images train along
        rows = np.union1d(rows_of_task[train], others)
        model, _ = fitted(data, rows, strength)
        test = rows_of_task[test]
        all_logits[test] = logits_of_maps(model, data.averaged[test])
        each.append(balanced(all_logits[test], table, test, config, task)["balanced_accuracy"])
    whole = balanced(all_logits[rows_of_task], table, rows_of_task, config, task)
    return {"folds": each, **whole}


def random_split(data: Set, task: str, number: int) -> float:
    """Return the mean score over random folds: what leaks."""
    unknown = replace_dives(data)
    return float(np.mean(cross(unknown, task, number)["folds"]))


def replace_dives(data: Set) -> Set:
    """Return the data as if dives were unknown."""
    return Set(data.table.assign(dive=None), data.model, data.averaged)


def row(name: str, scores: list[dict]) -> list[object]:
    """Return a line of the table: mean of folds, all folds together, accuracy; over seeds."""
    means = [np.mean(s["folds"]) for s in scores]
    names = list(scores[0]["recall"])
    recalls = " ".join(f"{n} {np.mean([s['recall'][n] for s in scores]):.2f}" for n in names)
    return [
        name,
        _spread(means),
        _spread([s["balanced_accuracy"] for s in scores]),
        f"{np.mean([s['accuracy'] for s in scores]):.3f}",
        recalls,
    ]


def _spread(values: list[float]) -> str:
    low, high = min(values), max(values)
    return f"{np.mean(values):.3f}" + (f" ({low:.3f} to {high:.3f})" if high > low else "")


def with_bursts(data: Set) -> Rows:
    """Number the bursts: runs of frames of a dive that look like the first of the run."""
    vectors = data.averaged[:, :, 0, 0].astype(np.float32)
    vectors = vectors - vectors.mean(0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    numbers, number = np.zeros(len(vectors), int), -1
    for _, rows in data.table.sort_values("path").groupby("dive", sort=False):
        first = None
        for place_ in rows.index:
            if first is None or vectors[place_] @ vectors[first] < SAME_SCENE:
                number, first = number + 1, place_
            numbers[place_] = number
    return numbers


def adapted(data: Set, task: str, number: int) -> list[list[object]]:
    """Return the curve: labelled bursts of each new dive, score on its other bursts."""
    table, bursts = data.table, with_bursts(data)
    found: dict[tuple[int, int], list[tuple[Rows, Floats, Floats, Floats]]] = defaultdict(list)
    for train, test in folds(table, task, number):
        model, features = fitted(data, train)
        start = {key: value.clone() for key, value in model.state_dict().items()}
        for seed in SEEDS:
            rng = np.random.default_rng(seed)
            order = {
                dive: rng.permutation(np.unique(bursts[test][(table["dive"].iloc[test] == dive)]))
                for dive in sorted(table["dive"].iloc[test].unique())
            }
            for count in LABELLED:
                chosen = np.concatenate([numbers[:count] for numbers in order.values()])
                rows = test[np.isin(bursts[test], chosen)]
                rest = np.setdiff1d(test, rows)
                before = logits_of_maps(model, data.averaged[rest])
                adapt_head(model, features, supervise_few(table, model.config, rows), 1e-3)
                after = logits_of_maps(model, data.averaged[rest])
                model.load_state_dict(start)
                common = table.iloc[rows].groupby("dive")[task].agg(lambda c: c.mode()[0])
                of_dive = table["dive"].iloc[rest].map(common)
                majority = np.stack([of_dive == c for c in model.config.classes], 1) * 1.0
                found[count, seed].append((rest, before, after, majority))
    lines = []
    for count in LABELLED:
        columns = defaultdict(list)
        for seed in SEEDS:
            rest = np.concatenate([part[0] for part in found[count, seed]])
            for name, place_ in (("before", 1), ("after", 2), ("majority", 3)):
                logits = np.concatenate([part[place_] for part in found[count, seed]])
                scores = balanced(logits, table, rest, data.model.config, task)
                columns[name].append(scores["balanced_accuracy"])
            columns["frames"].append(len(rest))
        lines.append(
            [count, int(np.mean(columns["frames"]))]
            + [_spread(columns[name]) for name in ("before", "after", "majority")]
        )
    return lines


def supervise_few(table: pd.DataFrame, config: ModelConfig, rows: Rows) -> Supervision:
    """Return the supervision by some rows, without parts to choose by."""
    weights = np.zeros((len(table), len(config.classes)), np.float32)
    weights[rows] = image_weights(table.iloc[rows], config.heads, multilabel=config.multilabel)
    return Supervision(labelled.targets(table, config.heads), weights, rows, rows[:0], [])


def recordings(args: argparse.Namespace) -> None:
    """Measure what a worse recording of the same dives costs, and what makes it cost less."""
    table = labelled.read_labels(args.elements, tasks=("elements",))
    heads = labelled.class_names(table, ("elements",))
    data = read(table, ModelConfig(heads, locator=False))
    poor = read(table, data.model.config, change=lambda image, _row: poor_recording(image)).averaged
    copies = read(table, data.model.config, change=_worse).averaged
    rows = []
    for name, strength, views in (
        ("as `train` does without --views", None, None),
        ("--strength 0.3", 0.3, None),
        ("--views 1: one worse recording of each image", None, copies),
    ):
        seeds = [_clean_and_poor(data, poor, seed, strength, views) for seed in SEEDS]
        rows.append([name, *map(_spread, zip(*seeds, strict=True))])
    record("Half the resolution, JPEG 40 and haze", HEADER_LOST, rows, NOTE)


def start(args: argparse.Namespace) -> None:
    """Measure heads on the trunk of another task's run, tuned whole, beside the pretrained one."""
    source = load_classifier(args.trunk)
    other, size = source.config.main_task, (source.config.height, source.config.width)
    task, data, number = {
        "floor": ("elements", args.elements, 3),
        "elements": ("floor", args.floor, 5),
    }[other]
    table = labelled.read_labels(data, tasks=(task,))
    heads = labelled.class_names(table, (task,))
    config = ModelConfig(
        heads, levels=source.config.levels, height=size[0], width=size[1], locator=False
    )
    rows = []
    for name, trunk in (("pretrained", None), (f"--init-from a tuned run of {other}", args.trunk)):
        found = read(table, config, trunk)
        scores = [cross(found, task, number, seed, FIXED[task]) for seed in SEEDS]
        rows.append(row(f"{task}: {name}", scores))
    record(
        "A trunk that another task has tuned",
        HEADER,
        rows,
        f"EfficientNet-Lite0, frozen for the fit, {size[0]}x{size[1]}; three seeds of the split.",
    )


def inputs(args: argparse.Namespace) -> None:
    """Measure what is shown of a frame: all, its middle, or all but the vehicle."""
    table = labelled.read_labels(args.elements, tasks=("elements",))
    heads = labelled.class_names(table, ("elements",))
    rows = []
    for name, settings in {
        "the whole frame": {},
        "--crop 0.67": {"crop_width": 0.67, "crop_height": 0.67},
        "--crop-width 0.67": {"crop_width": 0.67},
        "--hide-vehicle": {"hide_vehicle": True},
    }.items():
        data = read(table, ModelConfig(heads, locator=False, **settings))
        scores = [cross(data, "elements", 3, seed, FIXED["elements"]) for seed in SEEDS]
        rows.append(row(name, scores))
    record("What is shown of a frame", HEADER, rows, NOTE + " One penalty for all.")


def _clean_and_poor(
    data: Set, poor: Floats, seed: int, strength: Strength, views: Floats | None
) -> tuple[float, float, float]:
    """Return the mean over folds of the score on clean and on poor recordings, and what is lost."""
    each = []
    for train, test in folds(data.table, "elements", 3, seed):
        model, _ = fitted(data, train, strength, views)
        logits = [logits_of_maps(model, maps[test]) for maps in (data.averaged, poor)]
        scores = [balanced(part, data.table, test, model.config, "elements") for part in logits]
        each.append([score["balanced_accuracy"] for score in scores])
    clean, worse = np.mean(each, axis=0)
    return float(clean), float(worse), float(clean - worse)


def _worse(image: Pixels, row: int) -> Pixels:
    return augmentation(1.0, recording=True)(image, seed=row)


def all_labels(table: pd.DataFrame, coco: Path, classes: tuple[str, ...]) -> pd.Series:
    """Return every class that an image shows, parted by "|"; the main one where COCO has none."""
    found = json.loads(coco.read_text())
    names = {c["id"]: c["supercategory"] for c in found["categories"]}
    files = {i["id"]: Path(i["file_name"]).name for i in found["images"]}
    shown: dict[str, set[str]] = defaultdict(set)
    for annotation in found["annotations"]:
        if names[annotation["category_id"]] in classes:
            shown[files[annotation["image_id"]]].add(names[annotation["category_id"]])
    main = table["elements"]
    return pd.Series(
        [
            "|".join(sorted(shown[Path(p).name] | {m}))
            for p, m in zip(table["path"], main, strict=True)
        ],
        table.index,
    )


HEADER_LOST = ("head", "clean, mean of folds", "poor recording", "lost")
HEADER = ("head", "mean of folds", "all folds", "accuracy", "recall")


def elements(args: argparse.Namespace) -> None:
    """Measure what carries over to other dives."""
    table = labelled.read_labels(args.elements, tasks=("elements",))
    heads = labelled.class_names(table, ("elements",))
    data = read(table, ModelConfig(heads, locator=False))
    heads_tried = {
        "weak penalty (1e-4), as before": 1e-4,
        "penalty 1e-3": 1e-3,
        "penalty 3e-2": 3e-2,
        "chosen by inner dives (what `train` does)": None,
    }
    rows = [
        row(name, [cross(data, "elements", 3, seed, strength) for seed in SEEDS])
        for name, strength in heads_tried.items()
    ]
    rows.append(row("the same, split of seed 0 alone", [cross(data, "elements", 3)]))
    leaking = f"{random_split(data, 'elements', 3):.3f}"
    rows.append(["RANDOM frames, for comparison: leaks", leaking, "", "", ""])
    record("Elements on other dives", HEADER, rows, NOTE)
    header = ("labelled bursts a dive", "frames scored", "before", "adapted", "commonest label")
    record("A few labels of the new dives", header, adapted(data, "elements", 3), NOTE_ADAPTED)


def multilabel(multi: Set, single: Set) -> dict:
    """Return the single-label scores of a classifier that was trained with several labels."""
    each, logits = [], np.zeros((len(multi.table), len(multi.model.config.classes)), np.float32)
    for train, test in folds(single.table, "elements", 3):
        model, _ = fitted(multi, train, FIXED)
        logits[test] = logits_of_maps(model, multi.averaged[test])
        scores = balanced(logits[test], single.table, test, single.model.config, "elements")
        each.append(scores["balanced_accuracy"])
    rows = np.arange(len(single.table))
    return {"folds": each, **balanced(logits, single.table, rows, single.model.config, "elements")}


NOTE_ADAPTED = (
    "`classify adapt`, three seeds of which bursts are labelled; scored on the other bursts of the "
    "same dives, all folds together. Dives here are short and mostly show one class, so that the "
    "commonest label of the dive is a strong rival; it says nothing of a dive with several."
)
NOTE = (
    "EfficientNet-Lite0, frozen, 512x352; three folds by dive, three seeds of the split "
    "(mean, lowest to highest)."
)


def floor(args: argparse.Namespace) -> None:
    """Measure the floor alone."""
    table = labelled.read_labels(args.floor, tasks=("floor",))
    heads = labelled.class_names(table, ("floor",))
    rows = []
    for levels in (1, 2):
        config = ModelConfig(heads, levels=levels, height=224, width=224, locator=False)
        data = read(table, config)
        scores = [cross(data, "floor", 5, s) for s in SEEDS]
        rows.append(row(f"{levels} level{'s' * (levels > 1)}, 224x224", scores))
    record("Floor", HEADER, rows, "EfficientNet-Lite0, frozen; five random folds (dives unknown).")


def variants(args: argparse.Namespace) -> None:
    """Measure both tasks in one network, and several labels, beside each task alone."""
    joined = labelled.read_labels([args.floor, args.elements], tasks=labelled.BOTH)
    heads = labelled.class_names(joined, labelled.BOTH)
    joined["dive"] = joined["dive"].fillna(joined["path"])  # a floor patch is a dive of its own
    both = read(joined, ModelConfig(heads, levels=2, locator=False))
    rows = []
    for task, number in (("floor", 5), ("elements", 3)):
        known = both.table[task].notna().to_numpy()
        alone = Set(
            both.table[known].reset_index(drop=True),
            Classifier(replace(both.model.config, heads={task: heads[task]}, thresholds=())),
            both.averaged[known],
        )
        rows.append(row(f"{task}: alone", [cross(alone, task, number, strength=FIXED)]))
        rows.append(row(f"{task}: in `both`", [cross(both, task, number, strength=FIXED)]))
    if args.coco:  # `alone` is that of elements
        labels = all_labels(alone.table, args.coco, heads["elements"])
        several = Classifier(replace(alone.model.config, multilabel=True))
        multi = Set(alone.table.assign(elements=labels), several, alone.averaged)
        rows.append(row("elements: --multilabel, the likeliest", [multilabel(multi, alone)]))
    note = "EfficientNet-Lite0, frozen, 512x352, two levels, penalties fixed, one seed. "
    record(
        "One network for two tasks, several labels, another trunk",
        HEADER,
        rows,
        note + "On a frozen trunk two heads are fitted as if alone: only the cost differs, one "
        "forward pass instead of two.",
    )


def main() -> None:
    """Run the parts that are asked for."""
    parts = {
        "elements": elements,
        "floor": floor,
        "variants": variants,
        "recordings": recordings,
        "inputs": inputs,
        "start": start,
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="+", choices=list(parts))
    parser.add_argument("--elements", type=Path, required=True)
    parser.add_argument("--floor", type=Path, required=True)
    parser.add_argument("--coco", type=Path)
    parser.add_argument("--trunk", type=Path, help="for `start`: the other task's run, tuned")
    args = parser.parse_args()
    for name in args.parts:
        parts[name](args)


if __name__ == "__main__":
    main()
