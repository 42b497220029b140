"""How a classifier's score falls when camera, file and water are worse."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from classify import data as labelled
from classify import effects
from classify.device import place
from classify.evaluate import headline
from classify.figures_robustness import robustness_figure
from classify.head import Floats
from classify.images import Pixels
from classify.model import Classifier, load_classifier
from classify.page import write_page
from classify.report import REPORT_FILE, write_report
from classify.runs import write_atomic
from classify.scoring import Stage, unseen_images
from classify.stored import logits_of_images, prepare_images

Change = Callable[[Pixels], Pixels]

MOST = 400  # images; more make the figure finer, and take longer
COLUMNS = ("task", "change", "amount", "score", "lost")
CLEAN = "clean"


def changes() -> Iterator[tuple[str, str, Change]]:
    """Yield each change with its kind and its amount, in words; the image as it is first.

    They act on the image at the size that the classifier sees.
    """
    yield CLEAN, "", _same
    for factor in (2, 4, 8):
        yield "resolution", f"1/{factor}", partial(effects.reduce_resolution, factor=factor)
    for quality in (90, 70, 50, 40, 30, 20, 10):
        yield "JPEG quality", str(quality), partial(effects.jpeg, quality=quality)
    for sigma in (1.0, 2.0, 4.0):
        yield "blur, pixels", str(sigma), partial(effects.blur, sigma=sigma)
    for amount in (0.25, 0.5, 0.75):
        yield "haze", str(amount), partial(effects.haze, amount=amount)
    for gain in (0.5, 0.75, 1.5):
        yield "brightness", f"x {gain}", partial(effects.brightness, gain=gain)
    for degrees in (5.0, 15.0, 30.0):
        yield "rotation", f"{degrees:.0f}°", partial(effects.rotate, degrees=degrees)
    yield "ROV structure", "at the sides", _rov_structure
    yield "all together", "1/2, JPEG 40, haze 0.25", poor_recording


def measure_robustness(
    run: Path,
    data: Path | None = None,
    *,
    dive_from: str | None = None,
    progress: Stage | None = None,
) -> pd.DataFrame:
    """Score a classifier on changed images; write `robustness.csv` and `robustness.html`.

    Args:
        run: a finished training run.
        data: labelled images; None takes those held out in training. Of more than `MOST` images as
            many are drawn.
        dive_from: regular expression that tells the dive from an image's path.
        progress: called with the name of each stage; returns what is called with (done, total).

    Returns:
        Columns `task, change, amount, score, lost`: the score is balanced accuracy (mean average
        precision with several labels an image), `lost` what the clean images have more.
    """
    model = load_classifier(run)
    place(model)
    table = unseen_images(run, model.config, data, dive_from)
    table = table.sample(min(MOST, len(table)), random_state=0).sort_index().reset_index(drop=True)
    stage = progress or (lambda _stage: None)
    with TemporaryDirectory() as folder:
        table, images = prepare_images(model, table, Path(folder), stage("reading"))
        found = score_changed(model, table, images, stage("changing"))
        del images  # a memory map; Windows cannot remove the file while it is open
    write_atomic(run / "robustness.csv", found.to_csv(index=False).encode())
    write_page([robustness_figure(found)], run / "robustness.html", title="Robustness")
    if (run / REPORT_FILE).is_file():
        write_report(run)
    return found


def score_changed(
    model: Classifier,
    table: pd.DataFrame,
    images: Pixels,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Return the scores of prepared images [rows, h, w, 3] under each change."""
    targets = labelled.targets(table, model.config.heads)
    rows = []
    every = list(changes())
    for number, (kind, amount, change) in enumerate(every, 1):
        changed = np.stack([change(image) for image in images])
        logits = logits_of_images(model, changed)
        rows += [
            (task, kind, amount, score) for task, score in _scores(model, logits, targets).items()
        ]
        if progress:
            progress(number, len(every))
    found = pd.DataFrame(rows, columns=list(COLUMNS[:-1]))
    clean = found[found["change"] == CLEAN].set_index("task")["score"]
    return found.assign(lost=found["task"].map(clean) - found["score"]).round(4)


def robustness_lines(table: pd.DataFrame) -> list[str]:
    """Return the table as lines for a person."""
    lines = []
    for task, rows in table.groupby("task", sort=False):
        lines.append(f"{task}")
        lines += [
            f"  {row['change']:<14} {row['amount']:<24} {row['score']:.3f}  {0 - row['lost']:+.3f}"
            for row in rows.to_dict("records")
        ]
    return lines


def _scores(model: Classifier, logits: Floats, targets: Floats) -> dict[str, float]:
    found = {}
    for task in model.config.heads:
        span = model.config.span(task)
        known = ~np.isnan(targets[:, span.start])
        if known.any():
            found[task] = headline(
                logits[known, span], targets[known, span], multilabel=model.config.multilabel
            )
    return found


def _same(pixels: Pixels) -> Pixels:
    return pixels


def _rov_structure(pixels: Pixels) -> Pixels:
    return effects.rov_frame(pixels, amount=1.0, rng=np.random.default_rng(int(pixels.mean() * 97)))


def poor_recording(pixels: Pixels) -> Pixels:
    """Half the resolution, JPEG 40 and haze, in the order in which they arise."""
    hazy = effects.haze(pixels, 0.25)
    return effects.jpeg(effects.reduce_resolution(hazy, 2), 40)
