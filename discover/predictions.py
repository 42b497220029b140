"""What a classifier says of a survey's frames: floor and element of each, and whether it is sure.

The unit of work is a shard of the frames table: a run that was stopped goes on, and new frames are
taken in.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from classify.model import load_classifier
from classify.predict import Predictor
from classify.runs import Run, file_hash, start_run
from discover.survey import Survey, SurveyError, concat_rows

Progress = Callable[[int, int], None]


def predict_frames(survey: Survey, model: Path, *, progress: Progress | None = None) -> Run:
    """Name what all frames of a survey show.

    Args:
        survey: the survey, with frames.
        model: a finished training run.
        progress: called with (frames done, frames in all).

    Returns:
        The run, of which `predictions/<name>` is the table: a row for each frame and task (for each
        class that is present, where frames have several labels); none for an unreadable frame.

    Raises:
        SurveyError: there are no frames.
        RunError: the training is not finished.
    """
    units = survey.frames.units()
    if not units:
        raise SurveyError(f"{survey.root} has no frames: run `discover add FOLDER` first")
    predictor = Predictor(load_classifier(model))
    digest = file_hash(model / "model.safetensors")
    name = f"{model.resolve().name}-{digest[:8]}"
    run = start_run(
        survey.run_folder("predictions", name),
        command="classify predict",
        config={"model": str(model), "classes": list(predictor.model.config.classes)},
        model_hash=digest,
    )
    table = survey.table("predictions", name)
    table.set_aside_damaged()
    total, at = survey.count_frames(), 0
    for unit in units:
        frames = survey.frames.read(["frame_id", "path", "dive"], units=[unit])
        if unit not in set(table.units()):
            table.write(unit, _rows(survey, predictor, frames, _shifted(progress, at, total)))
        at += len(frames)
        if progress:
            progress(at, total)
    named = table.read(["frame_id"])["frame_id"].unique()
    run.complete(counts={"frames": total, "unreadable": total - len(named)})
    return run


def _shifted(progress: Progress | None, start: int, total: int) -> Progress:
    def advance(done: int, _of: int) -> None:
        if progress:
            progress(start + done, total)

    return advance


def _rows(survey: Survey, predictor: Predictor, frames: pa.Table, progress: Progress) -> pa.Table:
    rows: dict[str, list[Any]] = {
        name: [] for name in ("frame_id", "task", "class", "probability", "sure")
    }
    paths = [survey.frame_path(path) for path in frames["path"].to_pylist()]
    results = predictor(paths, progress, dives=frames["dive"].to_pylist())
    for frame_id, found in zip(frames["frame_id"].to_pylist(), results, strict=True):
        for prediction in found or []:
            values = (
                frame_id,
                prediction.task,
                prediction.class_name,
                prediction.probability,
                prediction.sure,
            )
            for column, value in zip(rows.values(), values, strict=True):
                column.append(value)
    return concat_rows(rows, "predictions")
