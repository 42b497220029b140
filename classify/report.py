"""One page on a finished training: scores, figures, and the worst mistakes as pictures."""

import base64
import html
import importlib.util
import io
import logging
import shlex
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from PIL import Image

from classify import data as labelled
from classify import figures
from classify.calibrate import log_softmax
from classify.explain import Explainer
from classify.figures_robustness import robustness_figure
from classify.figures_training import history_figure, split_figure
from classify.images import ImageError, Pixels, read_image, resize
from classify.model import ModelConfig
from classify.page import write_page
from classify.runs import Run, RunError, read_run
from classify.scoring import read_rows

log = logging.getLogger(__name__)

REPORT_FILE = "report.html"
MOST_MISTAKES = 12  # a task
MOST_OF_A_DIVE = 3  # its frames resemble one another, and would fill the page
MISTAKE_COLUMNS = ("path", "dive", "true", "class_name", "probability", "missed")
_WIDTH = 280  # of a picture, pixels
_QUALITY = 80
_FEW = 6  # classes whose figures fit three beside one another
_TOOL = "tensorboard"  # the package, and the folder for it

Part: TypeAlias = go.Figure | str


def write_report(run: Path) -> Path:
    """Write `report.html` into a run folder: one file that needs no network.

    Args:
        run: a finished training run; its images are read from where they were in training.

    Returns:
        The page, below 12 MB.

    Raises:
        RunError: the folder is no training run, is not finished, or was adapted.
    """
    trained = _read(run)
    scores = trained.counts["validation"]
    parts: list[Part] = [_header(trained)]
    parts += [_cards(task, of_task) for task, of_task in scores.items()]
    parts.append(_leak_note(trained))
    if trained.split_by != "random":
        parts.append(figures.leak_figure(trained.counts))
    for task, of_task in scores.items():
        parts += _task_figures(trained, task, of_task)
    parts += [*_robustness(run), *_history(trained), "<h2>What it was trained on</h2>"]
    parts += [split_figure(trained.table, task) for task in scores]
    parts += [_mistakes(trained, task) for task in scores]
    page = run / REPORT_FILE
    write_page(parts, page, title=f"{_title(trained)}: {run.resolve().name}")
    return page


def log_to_tensorboard(run: Path) -> bool:
    """Write a run's history as scalars to `tensorboard` in its folder, for that viewer.

    Args:
        run: a finished training run.

    Returns:
        False where the package is not installed; then nothing is written.
    """
    if importlib.util.find_spec(_TOOL) is None:
        return False
    from torch.utils.tensorboard import SummaryWriter

    shutil.rmtree(run / _TOOL, ignore_errors=True)  # the viewer would draw an earlier one too
    with SummaryWriter(str(run / _TOOL)) as writer:
        history = _read_history(run)
        for phase, rows in history.groupby("phase") if len(history) else ():
            for number, row in enumerate(rows.to_dict("records"), 1):
                step = int(row["epoch"]) if phase == "network" else number
                for what in ("loss", "score", *(("strength",) if phase == "head" else ())):
                    if pd.notna(row.get(what)):
                        writer.add_scalar(f"{phase}/{what}", float(row[what]), step)
    return True


def find_mistakes(held_out: pd.DataFrame, config: ModelConfig, task: str) -> pd.DataFrame:
    """Return the held-out images that are named wrong, the surest first.

    With several labels an image, its worst class counts: one that is named and not there, or one
    that is there and missed.

    Args:
        held_out: `path`, `dive`, the task's labels, and the logits in columns "task:class".
        config: classes and thresholds.
        task: the task.

    Returns:
        Columns `MISTAKE_COLUMNS`: `true` is the label, `class_name` the class that is wrong,
        `probability` what the classifier gave it, and `missed` whether it is there all the same.
    """
    classes = config.heads[task]
    known = held_out[held_out[task].notna()]
    if known.empty:
        return pd.DataFrame(columns=list(MISTAKE_COLUMNS))
    logits = known[[f"{task}:{name}" for name in classes]].to_numpy(np.float32)
    there = labelled.targets(known, {task: classes}) > 0
    if config.multilabel:
        given = np.asarray(1 / (1 + np.exp(-logits)), np.float32)
        wrong = (given >= np.asarray(config.thresholds[config.span(task)])) != there
    else:
        given = np.exp(log_softmax(logits))
        wrong = (np.arange(len(classes)) == given.argmax(1)[:, None]) & ~there
    badness = np.where(wrong, np.abs(given - there), -1.0)
    worst = badness.argmax(axis=1)
    rows = np.arange(len(known))
    found = pd.DataFrame(
        {
            "path": known["path"].to_numpy(),
            "dive": known["dive"].to_numpy(),
            "true": known[task].to_numpy(),
            "class_name": [classes[number] for number in worst],
            "probability": given[rows, worst],
            "missed": there[rows, worst],
        },
        columns=list(MISTAKE_COLUMNS),
    )
    order = np.argsort(-badness[rows, worst], kind="stable")
    return found.iloc[order[: int(wrong.any(axis=1).sum())]].reset_index(drop=True)


@dataclass(frozen=True)
class _Trained:
    """A finished training, as its run folder tells of it.

    Attributes:
        run: the content of `run.json`.
        explain: the classifier, and what shows where it looks.
        table: all images, with the side that each was on.
        held_out: those held out, with their logits.
    """

    run: Run
    explain: Explainer
    table: pd.DataFrame
    held_out: pd.DataFrame

    @property
    def config(self) -> ModelConfig:
        return self.explain.model.config

    @property
    def counts(self) -> dict[str, Any]:
        return self.run.info["counts"]

    @property
    def split_by(self) -> str:
        return str(self.run.info["config"]["train"]["split"])


def _read(folder: Path) -> _Trained:
    run = read_run(folder)
    if not run.is_complete:
        raise RunError(f"RUN {folder}: the training was not finished; run it again")
    if not (folder / "validation.csv").is_file():
        raise RunError(
            f"RUN {folder} has no predictions for held-out images: "
            "give a run of `classify train`, not an adapted one"
        )
    explain = Explainer(folder)
    table, held_out = (
        read_rows(folder / f"{name}.csv", explain.model.config) for name in ("split", "validation")
    )
    return _Trained(run, explain, table, held_out)


def _title(trained: _Trained) -> str:
    return f"Classifier of {' and '.join(trained.config.heads)}"


def _header(trained: _Trained) -> str:
    """Return what was trained, on what, and when."""
    info, config, counts = trained.run.info, trained.config, trained.counts
    unreadable, tuned = counts["unreadable"], counts["tuned_epochs"]
    trained_on = trained.table[~trained.table["validation"].astype(bool)]
    facts = {task: ", ".join(names) for task, names in config.heads.items()}
    facts |= {
        "backbone": f"{config.backbone}, weights: {config.weights}"
        + (f", trunk of {info['config']['init_from']}" if info["config"].get("init_from") else "")
        + (f", tuned for {tuned} epochs" if tuned else ", frozen"),
        "input": f"{config.height} x {config.width} pixels"
        + ("" if config.crop_width == config.crop_height == 1 else
           f" of the middle {config.crop_width:.0%} x {config.crop_height:.0%} of the frame"),
        "split": {"random": "at random", "table": "as the table says"}.get(
            trained.split_by, f"by {trained.split_by}"
        ),
        "trained on": _amount(trained_on),
        "held out": _amount(trained.held_out),
        "data": ", ".join(info["config"]["data"]),
        "date": str(info["finished"])[:16].replace("T", " ") + " UTC",
        "model": str(info["model_hash"])[:12],
        "data hash": info["config"]["data_hash"],
    }  # fmt: skip
    if unreadable:
        facts["left out"] = f"{unreadable:,} files that could not be read"
    if config.multilabel:
        facts["labels"] = "several an image"
    lines = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(str(value))}</dd>"
        for name, value in facts.items()
    )
    return (
        f"<h1>{html.escape(_title(trained))}</h1>"
        f'<p class="quiet">{html.escape(trained.run.path.resolve().name)}</p>'
        f'<dl class="facts">{lines}</dl>'
    )


def _amount(rows: pd.DataFrame) -> str:
    dives = rows["dive"].nunique()
    return f"{len(rows):,} images" + (f" of {dives:,} dives" if dives else "")


def _cards(task: str, scores: dict[str, Any]) -> str:
    """Return the headline scores of a task."""
    if "mean_average_precision" in scores:
        cards = [
            _card(scores["mean_average_precision"], "mean average precision", "over the classes"),
            _card(scores["exact"], "all labels right", "share of the images"),
        ]
    else:
        interval, least = scores["interval"], scores["majority_accuracy"]
        between = (
            f"95 % interval over dives: {interval[0]:.2f} to {interval[1]:.2f}"
            if interval
            else "without an interval: dives unknown, or one only"
        )
        commonest = f"always the commonest class: {least:.3f}"
        cards = [
            _card(scores["balanced_accuracy"], "balanced accuracy", between),
            _card(scores["accuracy"], "accuracy", commonest, bad=scores["accuracy"] < least),
        ]
    if scores["calibration"]:
        found = scores["calibration"]
        before = f"before the temperature: {found['error_before']:.3f}"
        cards.append(_card(found["error"], "calibration error (ECE)", before))
    return (
        f"<h2>{html.escape(task.capitalize())}, on {scores['images']:,} held-out images</h2>"
        f'<div class="cards">{"".join(cards)}</div>'
    )


def _card(value: float, name: str, more: str, *, bad: bool = False) -> str:
    kind = "card bad" if bad else "card"
    return f'<div class="{kind}"><b>{value:.3f}</b>{name}<span>{more}</span></div>'


def _leak_note(trained: _Trained) -> str:
    """Return in plain words what a random split would have claimed, or did claim."""
    if trained.split_by == "random":
        return (
            '<p class="note bad"><strong>Do not trust these scores.</strong> The images were split '
            "at random, so that frames of the same scenes are on both sides and every score on "
            "this page is inflated. Train with <code>--split dive</code> to learn how good the "
            "classifier is on a new dive.</p>"
        )
    group = {"table": "group"}.get(trained.split_by, html.escape(trained.split_by))
    counts = trained.counts
    honest, random = counts["head_alone"], counts["head_alone_on_a_random_split"]
    said = (
        f"The {random - honest:.3f} between comes of images of one {group} on both sides."
        if random > honest
        else f"Here the {group} gives nothing away."
    )
    note = (
        f'<p class="note">On {group}s that it had not seen, a plain head on the frozen trunk '
        f"reaches {honest:.3f}. Had the same images been split at random it would have claimed "
        f"{random:.3f}. {said}</p>"
    )
    if trained.counts["final_fit"]:
        note += (
            '<p class="quiet">Afterwards the classifier was trained once more on all images; '
            "the scores are those from before.</p>"
        )
    return note


def _task_figures(trained: _Trained, task: str, scores: dict[str, Any]) -> list[Part]:
    labels = trained.held_out[task].dropna().str.split("|").explode()
    images = {name: int((labels == name).sum()) for name in trained.config.heads[task]}
    drawn = [figures.recall_figure(scores, images)]
    if "confusion" in scores:
        drawn.insert(0, figures.confusion_figure(scores))
    if scores.get("calibration"):
        drawn.append(figures.calibration_figure(scores))
    columns = len(drawn) if len(images) <= _FEW else min(len(drawn), 2)
    heading = f"<h2>{html.escape(task.capitalize())}: where it is right, and where not</h2>"
    return [f'{heading}<div class="beside" style="--columns: {columns}">', *drawn, "</div>"]


def _robustness(run: Path) -> list[Part]:
    heading = "<h2>Other cameras and waters</h2>"
    if not (run / "robustness.csv").is_file():
        command = html.escape(f"classify robustness {shlex.quote(str(run))}")
        return [f"{heading}<p>Not measured yet: <code>{command}</code></p>"]
    table = pd.read_csv(run / "robustness.csv", dtype={"amount": str}, keep_default_na=False)
    return [heading, robustness_figure(table.astype({"score": float}))]


def _history(trained: _Trained) -> list[Part]:
    heading = "<h2>How it was trained</h2>"
    history = _read_history(trained.run.path)
    if history.empty:
        strength = trained.run.info["config"]["train"]["strength"]
        return [f"{heading}<p>The strength of the penalty was given: {strength:g}.</p>"]
    tuned = trained.counts["tuned_epochs"]
    if "task" not in history:
        return [heading, history_figure(history, tuned_epochs=tuned)]
    drawn: list[Part] = [heading]
    for task in trained.config.heads:
        of_task = history[(history["task"] == task) | (history["phase"] == "network")]
        drawn += [f"<h3>{html.escape(task)}</h3>", history_figure(of_task, tuned_epochs=tuned)]
    return drawn


def _read_history(run: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(run / "history.csv")
    except pd.errors.EmptyDataError:  # nothing was tried
        return pd.DataFrame()


def _mistakes(trained: _Trained, task: str) -> str:
    """Return the pictures of a task's worst mistakes."""
    found = find_mistakes(trained.held_out, trained.config, task)
    shown: list[str] = []
    gone, of_dive = 0, Counter[str]()
    for mistake in found.to_dict("records"):
        if len(shown) == MOST_MISTAKES:
            break
        dive = mistake["dive"] if isinstance(mistake["dive"], str) else None
        if dive is not None and of_dive[dive] == MOST_OF_A_DIVE:
            continue
        try:
            shown.append(_mistake(trained.explain, mistake, task, dive))
        except ImageError as error:
            log.debug("left out of the report: %s", error)
            gone += 1
            continue
        if dive is not None:
            of_dive[dive] += 1
    heading = f"<h2>Worst mistakes of {html.escape(task)}</h2>"
    if found.empty:
        return f"{heading}<p>None: every held-out image is named right.</p>"
    note = (
        f"{len(found):,} of {trained.held_out[task].notna().sum():,} held-out images are named "
        f"wrong. Shown are the surest, at most {MOST_OF_A_DIVE} of a dive; bright is what spoke "
        "for the class."
    )
    if trained.counts["final_fit"]:
        note += " The brightness is that of the final fit, which has seen these images."
    if gone:
        note += f" {gone:,} images cannot be read any more and are left out."
    return f'{heading}<p>{note}</p><div class="mistakes">{"".join(shown)}</div>'


def _mistake(explain: Explainer, mistake: dict[Any, Any], task: str, dive: str | None) -> str:
    """Return one image, as it is and with what spoke for the wrong class.

    Raises:
        ImageError: the file cannot be read.
    """
    path, name = Path(mistake["path"]), str(mistake["class_name"])
    frame = read_image(path, min_side=_WIDTH).pixels
    overlay = explain(path, class_name=name, task=task).overlay
    verb = "missed" if mistake["missed"] else "named"
    said = (
        f"true <b>{html.escape(str(mistake['true']).replace('|', ', '))}</b>, "
        f"{verb} <b>{html.escape(name)}</b> {mistake['probability']:.2f}"
        + (f", dive {html.escape(dive)}" if dive else "")
    )
    return (
        f'<figure title="{html.escape(path.name)}"><div class="pictures">'
        f'<img alt="the image" src="{_inlined(frame)}">'
        f'<img alt="where it looked" src="{_inlined(overlay)}"></div>'
        f"<figcaption>{said}</figcaption></figure>"
    )


def _inlined(pixels: Pixels) -> str:
    """Return a small JPEG as a data URI."""
    height = max(1, round(pixels.shape[0] * _WIDTH / pixels.shape[1]))
    buffer = io.BytesIO()
    Image.fromarray(resize(pixels, _WIDTH, height)).save(buffer, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
