"""A classifier made right for new dives by a few labels from them."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from classify import data as labelled
from classify.device import place
from classify.head import Features, Supervision, adapt_head, task_score
from classify.model import Classifier, load_classifier, save_classifier
from classify.runs import Run, RunError, read_run, start_run, write_atomic
from classify.scoring import Stage, read_rows
from classify.splits import image_weights
from classify.stored import feature_maps, logits_of_maps, prepare_images

STRENGTH = 1e-3  # of the pull back to the head as it was


def adapt(
    run: Path,
    labels: Path,
    out: Path,
    *,
    dive_from: str | None = None,
    strength: float = STRENGTH,
    progress: Stage | None = None,
) -> Run:
    """Move a classifier's head towards the labels of a few images of new dives.

    The trunk and the maps by which crops are cut stay as they are.

    Args:
        run: a finished training run.
        labels: labelled images of the new dives, see `classify.data.read_labels`.
        out: the run folder to write.
        dive_from: regular expression that tells the dive from an image's path.
        strength: how hard the head is held back; more trusts the new labels less.
        progress: called with the name of each stage; returns what is called with (done, total).

    Returns:
        The finished run; its `counts` say how many of the images were named right before and after.

    Raises:
        DataError: the labels cannot be used, or name a class that the classifier does not know.
        RunError: `run` is not finished, or `out` exists.
    """
    if out.exists():
        raise RunError(f"--out {out} exists already: give another folder, or remove this one")
    model = load_classifier(run)
    config = model.config
    tasks = tuple(config.heads)
    table = labelled.read_labels(
        labels, tasks=tasks, dive_from=dive_from, multilabel=config.multilabel
    )
    labelled.targets(table, config.heads)  # refuses unknown classes before anything is written
    source = read_run(run).info
    place(model)
    stage = progress or (lambda _stage: None)
    with TemporaryDirectory() as folder:
        table, images = prepare_images(model, table, Path(folder), stage("reading"))
        done = start_run(
            out,
            command="classify adapt",
            config={"labels": str(labels), "strength": strength, **_kept(source["config"])},
            parents={"model": run.resolve().name},
        )
        maps = feature_maps(model, images, Path(folder) / "maps", stage("features"))
        known = supervise(table, model)
        before = task_score(logits_of_maps(model, maps), known, known.training, config)
        adapt_head(model, Features(maps, config.pool), known, strength)
        after = task_score(logits_of_maps(model, maps), known, known.training, config)
        del images, maps  # memory maps; Windows cannot remove the files while they are open
    seen = read_rows(run / "split.csv", config)
    earlier = seen[~seen["path"].isin(table["path"])]  # what was held out may be among the labels
    seen = pd.concat([earlier, table.assign(validation=False)], ignore_index=True)
    write_atomic(out / "split.csv", seen.to_csv(index=False).encode())
    digest = save_classifier(model.cpu(), out, adapted_from=str(run))
    done.complete(
        counts={
            **{key: source["counts"][key] for key in ("temperature", "final_fit", "tuned_epochs")},
            "images": len(table),
            "dives": int(table["dive"].nunique()),
            "right_before": round(before, 4),
            "right_after": round(after, 4),
        },
        model_hash=digest,
    )
    return done


def supervise(table: pd.DataFrame, model: Classifier) -> Supervision:
    """Return what is known of labelled images, all of them to learn from."""
    heads = model.config.heads
    weights = image_weights(table, heads, multilabel=model.config.multilabel)
    rows = np.arange(len(table))
    return Supervision(labelled.targets(table, heads), weights, rows, rows[:0], [])


def _kept(config: dict[str, object]) -> dict[str, object]:
    return {key: config[key] for key in ("task", "train", "model")}
