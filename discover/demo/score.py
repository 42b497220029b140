"""Scores of the pipeline against what was truly rendered."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pycocotools import mask as coco

from classify.runs import Run
from discover.survey import Survey


@dataclass(frozen=True)
class ClassScore:
    """How well one class was found and told into kinds.

    Attributes:
        class_name: the class.
        crops: crops of the class.
        objects: sightings of true objects of the class (one object in one frame).
        found: share of the crops that lie on a true object of the class.
        recall: share of the sightings that a crop lies on.
        coverage: share of the crops on true objects that are in a cluster, not in the noise.
        ami: adjusted mutual information of clusters and true kinds, of the crops in clusters.
        ami_with_noise: the same over all crops on true objects, with noise as one more cluster.
        iou: mean intersection over union of mask and true mask, of the crops on true objects.
        iou_unseen: the same on dives that the classifier was not trained on.
    """

    class_name: str
    crops: int
    objects: int
    found: float
    recall: float
    coverage: float
    ami: float
    ami_with_noise: float
    iou: float
    iou_unseen: float


def match_crops(
    survey: Survey, embeddings: Run, truth: pd.DataFrame, footage: Path
) -> pd.DataFrame:
    """Give each crop the true object of its class that its mask overlaps most.

    Args:
        survey: the survey.
        embeddings: the run of embeddings whose crops are meant.
        truth: the rendered truth, one row per sighting.
        footage: the folder that the truth's paths are relative to.

    Returns:
        Columns `crop_id, class, dive, kind, sighting, iou`; the last three are null where the crop
        lies on no object of its class.
    """
    crops = survey.sql(
        'select crop_id, "class", dive, path, mask, width, height from crops '
        "join frames using (frame_id) order by crop_id",
        crops=survey.crops_of(embeddings),
    )
    objects = truth.dropna(subset=["object_id"])
    by_frame = {
        (survey.stored_path(footage / str(path)), name): part
        for (path, name), part in objects.groupby(["path", "class"])
    }
    matched = [
        _best_object(row, by_frame.get((row["path"], row["class"])))
        for row in crops.to_dict("records")
    ]
    return pd.concat([crops[["crop_id", "class", "dive"]], pd.DataFrame(matched)], axis=1)


def score_class(
    survey: Survey, run: Run, matched: pd.DataFrame, truth: pd.DataFrame, trained_on: set[str]
) -> ClassScore:
    """Score one clustering run.

    Args:
        survey: the survey.
        run: the clustering run.
        matched: the output of `match_crops`.
        truth: the rendered truth.
        trained_on: dives whose labels the classifier was trained on.
    """
    from sklearn.metrics import adjusted_mutual_info_score as ami

    class_name = str(run.info["config"]["class_name"])
    clusters = survey.table("clusters", run.name).read(["crop_id", "cluster"]).to_pandas()
    crops = matched[matched["class"] == class_name].merge(clusters, on="crop_id")
    objects = truth[truth["class"] == class_name]
    on_object = crops.dropna(subset=["kind"])
    inside = on_object[on_object["cluster"] >= 0]
    unseen = on_object[~on_object["dive"].isin(trained_on)]
    return ClassScore(
        class_name=class_name,
        crops=len(crops),
        objects=len(objects),
        found=len(on_object) / len(crops),
        recall=on_object["sighting"].nunique() / max(1, len(objects)),
        coverage=len(inside) / max(1, len(on_object)),
        ami=float(ami(inside["kind"], inside["cluster"])),
        ami_with_noise=float(ami(on_object["kind"], on_object["cluster"])),
        iou=float(on_object["iou"].mean()),
        iou_unseen=float(unseen["iou"].mean()),
    )


def _best_object(crop: dict[Any, Any], objects: pd.DataFrame | None) -> dict[str, Any]:
    if objects is None:
        return {"kind": None, "sighting": None, "iou": np.nan}
    size = [int(crop["height"]), int(crop["width"])]
    mine = {"size": size, "counts": crop["mask"].encode()}
    theirs = [{"size": size, "counts": counts.encode()} for counts in objects["mask"]]
    overlaps = coco.iou([mine], theirs, [0] * len(theirs))[0]
    best = int(overlaps.argmax())
    if overlaps[best] <= 0:
        return {"kind": None, "sighting": None, "iou": np.nan}
    row = objects.iloc[best]
    return {
        "kind": row["kind"],
        "sighting": f"{row['path']}/{row['object_id']}",
        "iou": float(overlaps[best]),
    }
