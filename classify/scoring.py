"""How good a finished classifier is, on its held-out images or on other labelled ones."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from classify import data as labelled
from classify.evaluate import Floats, evaluate_task
from classify.model import Classifier, ModelConfig, load_classifier
from classify.runs import RunError, read_run
from classify.splits import held_out

log = logging.getLogger(__name__)

Stage = Callable[[str], Callable[[int, int], None] | None]


def score_run(
    run: Path,
    data: Path | None = None,
    *,
    split: str = "all",
    fold: int = 0,
    dive_from: str | None = None,
    progress: Stage | None = None,
) -> dict[str, Any]:
    """Return the scores of a classifier by task, as `evaluate_task` gives them.

    Args:
        run: a finished training run.
        data: other labelled images; None takes what was predicted for the held-out images before
            any final fit.
        split: "all" images of `data`, or "table": those that its column `split` or `fold` holds
            out.
        fold: the fold that is held out.
        dive_from: regular expression that tells the dive from an image's path.
        progress: called with the name of each stage; returns what is called with (done, total).

    Raises:
        RunError: the run is not finished.
        DataError: the images cannot be used, or the classifier was trained on all of them.
    """
    model = load_classifier(run)
    temperature = read_run(run).info["counts"]["temperature"]
    if data is None:
        if split == "table":
            raise RunError("--split table needs DATA with a column split or fold")
        if not (run / "validation.csv").is_file():
            raise RunError(f"MODEL {run} was adapted: give DATA of images that it has not seen")
        table = read_rows(run / "validation.csv", model.config)
        names = [f"{t}:{c}" for t, classes in model.config.heads.items() for c in classes]
        return score_table(model.config, table, table[names].to_numpy(np.float32), temperature)
    table = unseen_images(run, model.config, data, dive_from)
    if split == "table":
        table = table[held_out(table, fold)].reset_index(drop=True)
    table, logits = logits_of_table(model, table, progress)
    return score_table(model.config, table, logits, temperature)


def score_table(
    config: ModelConfig, table: pd.DataFrame, logits: Floats, temperature: dict[str, float]
) -> dict[str, Any]:
    """Return the scores by task of logits [rows, classes] for a table of labelled images.

    Args:
        config: tasks and classes.
        table: labelled images.
        logits: [rows, classes].
        temperature: by class, that the logits were divided by.
    """
    targets = labelled.targets(table, config.heads)
    scores = {}
    for task, classes in config.heads.items():
        span = config.span(task)
        known = ~np.isnan(targets[:, span.start])
        if known.any():
            scores[task] = evaluate_task(
                logits[known, span],
                targets[known, span],
                table["dive"][known],
                classes,
                multilabel=config.multilabel,
                thresholds=config.thresholds[span],
                temperature=temperature[classes[0]],
            )
    return scores


def unseen_images(
    run: Path, config: ModelConfig, data: Path | None, dive_from: str | None = None
) -> pd.DataFrame:
    """Return labelled images that a classifier was not trained on.

    Those of `data`, or without it those held out in training. Images of `data` that were trained on
    are left out, and dives that were are named in the log.
    """
    trained = read_rows(run / "split.csv", config)
    final = bool(read_run(run).info["counts"]["final_fit"])
    if data is None:
        if final:
            raise RunError(
                f"MODEL {run} was trained on all its images in the end: "
                "give DATA of other dives, or a run without --final"
            )
        return trained[trained["validation"]].reset_index(drop=True)
    tasks = tuple(config.heads)
    table = labelled.read_labels(
        data, tasks=tasks, dive_from=dive_from, multilabel=config.multilabel
    )
    seen = trained if final else trained[~trained["validation"]]
    known = table["path"].isin(seen["path"])
    if known.all():
        raise labelled.DataError(f"DATA {data}: the classifier was trained on all its images")
    if known.any():
        log.warning("%d of %d images were trained on, and are left out", known.sum(), len(table))
    table = table[~known].reset_index(drop=True)
    labelled.targets(table, config.heads)  # refuses unknown classes before the work begins
    shared = sorted(set(table["dive"].dropna()) & set(seen["dive"].dropna()))
    if shared:
        log.warning(
            "dives that were trained on: %s; the score is inflated by them", ", ".join(shared[:5])
        )
    return table


def read_rows(file: Path, config: ModelConfig) -> pd.DataFrame:
    """Read a run's table of images; labels and dives that look like numbers stay as written."""
    text = dict.fromkeys(("dive", "burst", "part", *config.heads), str)
    return pd.read_csv(file, dtype=text, keep_default_na=False, na_values=[""])


def logits_of_table(
    model: Classifier, table: pd.DataFrame, progress: Stage | None = None
) -> tuple[pd.DataFrame, Floats]:
    """Return the rows whose files can be read, and their logits [rows, classes]."""
    from classify.predict import Predictor

    predictor = Predictor(model)
    advance = progress("scoring") if progress else None
    paths = [Path(path) for path in table["path"]]
    dives = table["dive"].where(table["dive"].notna(), None).tolist()
    found = list(predictor.logits(paths, advance, dives=dives))
    readable = [logits is not None for logits in found]
    if not any(readable):
        raise labelled.DataError(f"none of the {len(table)} images can be read")
    rows = np.stack([logits for logits in found if logits is not None])
    return table[readable].reset_index(drop=True), rows
