"""The whole pipeline on a synthetic survey, scored against what was truly rendered."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from classify.runs import Run, write_atomic
from discover.demo.score import ClassScore, match_crops, score_class
from discover.demo.survey import render_survey
from discover.survey import Survey, open_survey

Progress = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
Say = Callable[[str], None]
CLASSES = ("waste", "fauna")
# The frames' own shape, and the strongest positions, since objects are small in these frames.
MODEL: dict[str, Any] = {"height": 448, "width": 800, "pool": "topk", "locator": False}


@dataclass(frozen=True)
class DemoResult:
    """What the demo made.

    Attributes:
        survey: the survey.
        classifier: the training run.
        clusterings: the clustering runs.
        scores: their scores against the truth.
    """

    survey: Survey
    classifier: Run
    clusterings: list[Run]
    scores: list[ClassScore]


def run_demo(
    folder: Path,
    *,
    seed: int = 0,
    dives: int = 8,
    frames_per_dive: int = 90,
    progress: Progress,
    say: Say,
) -> DemoResult:
    """Render a survey into `folder`, run every step on it, and score the result.

    The classifier learns from the labels of the first three quarters of the dives; what it finds
    in the others is what it would find on a new dive. Steps that were finished before are not done
    again.

    Args:
        folder: of the survey; frames go to `footage/`, the classifier to `runs/elements`.
        seed: of the rendering and of every step.
        dives: dives to render.
        frames_per_dive: frames in each.
        progress: makes a progress bar from a label.
        say: prints a line.
    """
    from classify.settings import TrainConfig
    from classify.train import train
    from discover.cluster import ClusterConfig, cluster
    from discover.cutting.regions import ClassifierRegions
    from discover.embed import embed
    from discover.frames import add_frames

    survey = open_survey(folder, create=True)
    footage = folder / "footage"
    with progress("rendering") as advance:
        render_survey(
            footage, seed=seed, dives=dives, frames_per_dive=frames_per_dive, progress=advance
        )
        advance(dives * frames_per_dive, dives * frames_per_dive)
    truth = pd.read_parquet(footage / "truth.parquet")
    labels, trained_on = _write_labels(folder, truth)
    model = folder / "runs" / "elements"
    classifier = _finished_training(model)
    if classifier is None:
        with progress("training") as advance:
            classifier = train(
                labels,
                model,
                config=TrainConfig(seed=seed),
                progress=lambda _stage: advance,
                **MODEL,
            )
    with progress("adding") as advance:
        add_frames(survey, [footage], progress=advance)
    with progress("embedding") as advance:
        embeddings = embed(survey, ClassifierRegions(model), progress=advance)
    matched = match_crops(survey, embeddings, truth, footage)
    runs, scores = [], []
    for name in CLASSES:
        say(f"clustering {name}")
        # every frame: the few crops of a demo are needed, and so are its five minutes
        config = ClusterConfig(name, keyframes=False, seed=seed)
        runs.append(cluster(survey, config, embeddings=embeddings.name))
        scores.append(score_class(survey, runs[-1], matched, truth, trained_on))
    return DemoResult(survey, classifier, runs, scores)


def score_lines(result: DemoResult) -> list[str]:
    """Return the scores as lines for a person."""
    held_out = result.classifier.info["counts"]["validation"]["elements"]
    lines = [
        "against the truth of the renderer:",
        f"  classifier on dives it was not trained on: balanced accuracy "
        f"{held_out['balanced_accuracy']:.2f}",
    ]
    for score in result.scores:
        lines += [
            f"  {score.class_name}: {score.crops} crops, {score.found:.0%} of them on an object; "
            f"{score.recall:.0%} of {score.objects} sightings have a crop",
            f"    AMI of clusters with true kinds  {score.ami:.2f} "
            f"({score.ami_with_noise:.2f} with the noise as one cluster)",
            f"    coverage (not noise)             {score.coverage:.0%}",
            f"    mean IoU of masks                {score.iou:.2f} "
            f"({score.iou_unseen:.2f} on dives the classifier was not trained on)",
        ]
    return lines


def _write_labels(folder: Path, truth: pd.DataFrame) -> tuple[Path, set[str]]:
    """Write image labels for the first three quarters of the dives, as a person would have them."""
    frames = truth.drop_duplicates("path")
    dives = sorted(frames["dive"].unique())
    trained_on = set(dives[: max(2, len(dives) * 3 // 4)])
    rows = frames[frames["dive"].isin(trained_on)].dropna(subset=["element"])
    table = pd.DataFrame(
        {"image": "footage/" + rows["path"], "label": rows["element"], "dive": rows["dive"]}
    )
    path = folder / "labels.csv"
    write_atomic(path, table.to_csv(index=False).encode())
    return path, trained_on


def _finished_training(folder: Path) -> Run | None:
    from classify.runs import RUN_FILE, read_run

    if not (folder / RUN_FILE).is_file():
        return None
    run = read_run(folder)
    return run if run.is_complete else None


def as_json(result: DemoResult) -> dict[str, Any]:
    """Return the result as plain values."""
    return {
        "survey": str(result.survey.root),
        "validation": result.classifier.info["counts"]["validation"]["elements"],
        "clusterings": [{"run": r.name, **r.info["counts"]} for r in result.clusterings],
        "scores": [vars(score) for score in result.scores],
    }
