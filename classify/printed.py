"""Scores as lines for a person. Light."""

from typing import Any

import pandas as pd


def score_lines(task: str, scores: dict[str, Any]) -> list[str]:
    """Return the lines that say what the scores of one task are, as `evaluate_task` gives them."""
    if "mean_average_precision" in scores:
        lines = [f"{task}: {scores['images']} images, several labels each"]
        lines.append(f"  mean average precision  {scores['mean_average_precision']:.3f}")
        lines.append(f"  all labels right        {scores['exact']:.3f}")
    else:
        lines = [f"{task}: {scores['images']} images"]
        interval = scores["interval"]
        between = (
            f"   95 % of resampled dives: {interval[0]:.2f} to {interval[1]:.2f}"
            if interval
            else ""
        )
        lines += [
            f"  balanced accuracy  {scores['balanced_accuracy']:.3f}{between}",
            f"  accuracy           {scores['accuracy']:.3f}   always the commonest class: "
            f"{scores['majority_accuracy']:.3f}",
        ]
        if scores["calibration"]:
            found = scores["calibration"]
            lines.append(
                f"  calibration error  {found['error']:.3f}   before the temperature: "
                f"{found['error_before']:.3f}"
            )
    width = max(len(name) for name in scores["recall"])
    lines.append(f"  {'':<{width}}  recall  precision")
    lines += [
        f"  {name:<{width}}  {_share(recall):>6}  {_share(scores['precision'][name]):>9}"
        for name, recall in scores["recall"].items()
    ]
    return lines + (_confusion_lines(scores) if "confusion" in scores else [])


def training_lines(counts: dict[str, Any], split: str) -> list[str]:
    """Return the lines that say how a training went, from the `counts` of its run."""
    held_out = {
        "dive": "on dives that it was not trained on",
        "burst": "on bursts that it was not trained on",
        "table": "on the images that the table holds out",
        "random": "on RANDOM images: inflated by frames of the same scenes",
    }[split]
    lines = [f"{counts['images']} images; scores are {held_out}"]
    if counts["unreadable"]:
        lines[0] += f"; {counts['unreadable']} files could not be read"
    for task, scores in counts["validation"].items():
        lines += score_lines(task, scores)
    if split != "random":
        lines += leak_lines(counts)
    if counts["final_fit"]:
        lines.append("then trained on all images; the scores are those from before")
    return lines


def leak_lines(counts: dict[str, Any]) -> list[str]:
    """Return what a random split of the same images would have claimed."""
    honest, random = counts["head_alone"], counts["head_alone_on_a_random_split"]
    return [
        f"leak: a plain head, trained and tested on a random split of these images, reaches "
        f"{random:.3f}, on the split above {honest:.3f};",
        f"  the {random - honest:+.3f} between comes of frames of one dive on both sides",
    ]


def prediction_lines(table: pd.DataFrame) -> list[str]:
    """Return how many images show which class, and how many of these are sure."""
    unread = int(table["class"].isna().sum())
    lines = [f"{unread} images could not be read"] if unread else []
    for task, rows in table.dropna(subset=["class"]).groupby("task"):
        lines.append(f"{task}:")
        for name, of_class in rows.groupby("class"):
            sure = int(of_class["sure"].sum())
            lines.append(f"  {name:<12} {len(of_class):>7,}   {sure:,} sure")
    return lines


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _confusion_lines(scores: dict[str, Any]) -> list[str]:
    names = list(scores["recall"])
    width = max(8, *(len(name) for name in names))
    header = "  true \\ named".ljust(width + 4) + " ".join(f"{name:>{width}}" for name in names)
    return [header] + [
        f"  {name:<{width + 2}}" + " ".join(f"{n:>{width}}" for n in row)
        for name, row in zip(names, scores["confusion"], strict=True)
    ]
