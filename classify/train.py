"""Training a classifier from labelled images: a run folder from labels and settings."""

import json
import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from classify import data as labelled
from classify.fit import Fitted, fit
from classify.model import Classifier, ModelConfig, load_classifier, save_classifier
from classify.report import log_to_tensorboard, write_report
from classify.runs import RUN_FILE, Run, RunError, read_run, start_run, write_atomic
from classify.scoring import score_table
from classify.settings import TrainConfig
from classify.splits import split

log = logging.getLogger(__name__)

Stage = Callable[[str], Callable[[int, int], None] | None]
_WORK = "work"  # what a run needs while it lasts


def train(
    data: Path | Sequence[Path],
    out: Path,
    *,
    task: str = "elements",
    config: TrainConfig | None = None,
    dive_from: str | None = None,
    aliases: Path | None = None,
    init_from: Path | None = None,
    progress: Stage | None = None,
    **model_settings: Any,  # noqa: ANN401 - the fields of ModelConfig
) -> Run:
    """Train a classifier and write its run folder; a run that was killed goes on.

    Args:
        data: labelled images, see `classify.data.read_labels`.
        out: the run folder to write.
        task: "elements", "floor", or "both": one trunk with a head each.
        config: how to train; None takes the defaults.
        dive_from: regular expression that tells the dive from an image's path.
        aliases: CSV of further names of the classes.
        init_from: a finished run whose trunk this one starts from.
        progress: called with the name of each stage; returns what is called with (done, total).
        model_settings: fields of `ModelConfig` other than `heads`.

    Returns:
        The finished run; its `counts` hold the validation scores by task. The same call again
        returns it as it is.

    Raises:
        DataError, WeightsError, RunError: an argument is wrong; the message says which.
    """
    config = config or TrainConfig()
    tasks = labelled.BOTH if task == "both" else (task,)
    table = labelled.read_labels(
        data,
        tasks=tasks,
        dive_from=dive_from,
        aliases=aliases,
        multilabel=bool(model_settings.get("multilabel")),
    )
    table["validation"] = split(
        table,
        tasks,
        by=config.split,
        validation=config.validation,
        fold=config.fold,
        seed=config.seed,
    )
    if config.views and model_settings.get("pool", "mean") != "mean":
        raise RunError(f"--views {config.views} needs --pool mean")
    heads = labelled.class_names(table, tasks)
    torch.manual_seed(config.seed)
    model = _start_model(ModelConfig(heads=heads, **model_settings), init_from)
    settings = {
        "task": task,
        "train": config.to_dict(),
        "model": model.config.to_dict(),
        "init_from": str(init_from) if init_from else None,
        "data": [str(path) for path in ([data] if isinstance(data, Path) else data)],
        "data_hash": labelled.data_hash(table),
    }
    run = _take_up(out, settings, config.seed)
    if run.is_complete:
        return run
    work = out / _WORK
    work.mkdir(exist_ok=True)
    fitted = fit(model, table, config, work, progress or (lambda _stage: None))
    _write(run, model, table, fitted, config)
    shutil.rmtree(work)
    write_report(out)
    log_to_tensorboard(out)
    return run


def _start_model(config: ModelConfig, init_from: Path | None) -> Classifier:
    if init_from is None:
        return Classifier(config)
    source = load_classifier(init_from)
    if source.config.backbone != config.backbone:
        raise RunError(
            f"--init-from {init_from} has the backbone {source.config.backbone}: "
            f"give --backbone {source.config.backbone}"
        )
    if not read_run(init_from).info["counts"]["tuned_epochs"]:
        log.warning(
            "--init-from %s: its trunk was never tuned: it is the pretrained one", init_from
        )
    return Classifier(config, source.trunk.backbone)


def _take_up(out: Path, settings: dict[str, Any], seed: int) -> Run:
    """Start the run, or take up one that was killed; never write over another one."""
    plain = json.loads(json.dumps(settings))  # as `run.json` gives it back
    if (out / RUN_FILE).is_file():
        earlier = read_run(out)
        if earlier.info["config"] != plain:
            raise RunError(
                f"--out {out} holds a run with other settings or data: "
                "give another folder, or remove this one"
            )
        if earlier.is_complete:
            return earlier
    return start_run(out, command=f"classify train {settings['task']}", config=plain, seed=seed)


def _write(
    run: Run, model: Classifier, table: pd.DataFrame, fitted: Fitted, config: TrainConfig
) -> None:
    """Write the run's files and complete it."""
    held_out = fitted.table[fitted.table["validation"]].reset_index(drop=True)
    scores = score_table(model.config, held_out, fitted.logits, fitted.temperature)
    names = [f"{task}:{name}" for task, classes in model.config.heads.items() for name in classes]
    predicted = pd.concat([held_out, pd.DataFrame(fitted.logits, columns=names)], axis=1)
    history = pd.DataFrame(fitted.history)
    for name, rows in {"history": history, "split": fitted.table, "validation": predicted}.items():
        write_atomic(run.path / f"{name}.csv", rows.to_csv(index=False).encode())
    digest = save_classifier(model.cpu(), run.path, data_hash=run.info["config"]["data_hash"])
    run.complete(
        counts={
            "images": len(fitted.table),
            "unreadable": len(table) - len(fitted.table),
            "dives": int(fitted.table["dive"].nunique()),
            "validation": scores,
            "head_alone": round(fitted.head_alone, 4),
            "head_alone_on_a_random_split": round(fitted.on_a_random_split, 4),
            "strengths": fitted.strengths,
            "tuned_epochs": fitted.tuned_epochs,
            "temperature": fitted.temperature,
            "final_fit": config.final,
        },
        model_hash=digest,
    )
