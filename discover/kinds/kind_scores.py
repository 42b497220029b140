"""How clusters agree with kinds that are known: from names that people gave, or from a truth."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from pycocotools import mask as coco

from discover.survey import SurveyError

_LEAST_IOU = 0.1  # of a crop and an object that it is taken for


@dataclass(frozen=True)
class KindScores:
    """Scores of a clustering, over the crops whose kind is known.

    Attributes:
        crops: how many of the run's crops have a known kind.
        coverage: share of them that are in a cluster.
        ami: adjusted mutual information of clusters and kinds, of the crops in clusters.
        ami_with_noise: the same over all, with the noise as one more cluster.
        homogeneity: 1 where each cluster holds one kind (Rosenberg & Hirschberg 2007).
        completeness: 1 where each kind lies in one cluster.
        kinds: a row for each kind: `kind, crops, found` (share of its crops in clusters that mostly
            are of this kind), `clusters` (how many those are), `purity` (share of those clusters
            that is this kind), `noise` (share of its crops that are in none).
    """

    crops: int
    coverage: float
    ami: float
    ami_with_noise: float
    homogeneity: float
    completeness: float
    kinds: pd.DataFrame


def score_kinds(clusters: Sequence[int], kinds: Sequence[str]) -> KindScores:
    """Score a clustering.

    Args:
        clusters: of each crop whose kind is known, -1 = noise.
        kinds: theirs.

    Raises:
        ValueError: there are no crops.
    """
    from sklearn import metrics

    if not len(clusters):
        raise ValueError("clusters: no crop has a known kind")
    table = pd.DataFrame({"cluster": clusters, "kind": kinds})
    inside = table[table["cluster"] >= 0]
    homogeneity, completeness, _ = metrics.homogeneity_completeness_v_measure(
        inside["kind"], inside["cluster"]
    )
    return KindScores(
        crops=len(table),
        coverage=len(inside) / len(table),
        ami=float(metrics.adjusted_mutual_info_score(inside["kind"], inside["cluster"])),
        ami_with_noise=float(metrics.adjusted_mutual_info_score(table["kind"], table["cluster"])),
        homogeneity=float(homogeneity),
        completeness=float(completeness),
        kinds=_by_kind(table, inside),
    )


def _by_kind(table: pd.DataFrame, inside: pd.DataFrame) -> pd.DataFrame:
    counts = inside.groupby(["cluster", "kind"]).size().unstack(fill_value=0)
    mostly = counts.idxmax(axis=1) if len(counts) else pd.Series(dtype=object)
    rows = []
    for kind, crops in table["kind"].value_counts().items():
        own = counts.loc[mostly[mostly == kind].index] if kind in counts else counts.iloc[:0]
        found = int(own[kind].sum()) if len(own) else 0
        rows.append(
            {
                "kind": kind,
                "crops": int(crops),
                "found": found / crops,
                "clusters": len(own),
                "purity": found / own.to_numpy().sum() if len(own) else np.nan,
                "noise": float((table.loc[table["kind"] == kind, "cluster"] < 0).mean()),
            }
        )
    return pd.DataFrame(rows)


def kinds_of_truth(crops: pd.DataFrame, truth: Path) -> pd.Series:
    """Return the kind of the object that each crop overlaps most, from a COCO file.

    Args:
        crops: columns `crop_id, path, width, height, x, y, w, h, mask` (null: the whole box).
        truth: COCO file whose category names are kinds; images are found by file name.

    Returns:
        Kinds by crop id, of the crops that overlap an object by an IoU of 0.1 at least.

    Raises:
        SurveyError: the file cannot be read, or names none of the crops' frames.
    """
    try:
        data = json.loads(truth.read_text(encoding="utf-8"))
        names = {c["id"]: str(c["name"]) for c in data["categories"]}
        images = {i["id"]: PurePosixPath(str(i["file_name"])).name for i in data["images"]}
        objects = pd.DataFrame(data["annotations"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SurveyError(f"--truth {truth} is not a COCO file: {error!r}") from None
    by_file = dict(iter(objects.groupby(objects["image_id"].map(images)))) if len(objects) else {}
    found: dict[str, str] = {}
    for path, of_frame in crops.groupby("path"):
        there = by_file.get(PurePosixPath(str(path)).name)
        if there is not None:
            found |= _best_kinds(of_frame, there, names)
    if not found:
        raise SurveyError(f"--truth {truth} has no object that a crop of this run lies on")
    return pd.Series(found)


def _best_kinds(
    crops: pd.DataFrame, objects: pd.DataFrame, names: dict[Any, str]
) -> dict[str, str]:
    height, width = int(crops["height"].iloc[0]), int(crops["width"].iloc[0])
    theirs = [_rle(row.get("segmentation"), row["bbox"], height, width)
              for row in objects.to_dict("records")]  # fmt: skip
    kinds = [names[c] for c in objects["category_id"]]
    mine = [
        _rle(
            {"counts": row["mask"], "size": [height, width]} if row["mask"] else None,
            [row["x"], row["y"], row["w"], row["h"]],
            height,
            width,
        )
        for row in crops.to_dict("records")
    ]
    overlaps = np.asarray(coco.iou(mine, theirs, [0] * len(theirs)))
    best = overlaps.argmax(axis=1)
    return {
        crop: kinds[at]
        for crop, at, iou in zip(crops["crop_id"], best, overlaps.max(axis=1), strict=True)
        if iou >= _LEAST_IOU
    }


def _rle(shape: Any, box: Sequence[float], height: int, width: int) -> dict[str, Any]:  # noqa: ANN401
    """Return a COCO segmentation of any form, or a box, as compressed RLE."""
    if isinstance(shape, list) and shape:
        return dict(coco.merge(coco.frPyObjects(shape, height, width)))
    if isinstance(shape, dict):
        if isinstance(shape["counts"], list):
            return dict(coco.frPyObjects(shape, height, width))
        counts = shape["counts"]
        return {
            "size": shape["size"],
            "counts": counts if isinstance(counts, bytes) else counts.encode(),
        }
    x, y, w, h = box
    corners = [x, y, x + w, y, x + w, y + h, x, y + h]
    return dict(coco.merge(coco.frPyObjects([corners], height, width)))
