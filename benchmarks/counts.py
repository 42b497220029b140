"""Counted encounters and individuals against the objects that the demo really rendered.

discover demo --no-serve && discover bursts --survey demo-survey
python benchmarks/counts.py demo-survey
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from record import record

from discover.counts import CountConfig, count_sightings
from discover.demo.score import match_crops
from discover.survey import Survey, open_survey

GAPS = (0, 2, 5)
KIND = ["dive", "class", "subcategory"]


def places(survey: Survey, truth: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return `path, burst, place` of the frames, and where the bursts come from."""
    done = [run for run in survey.runs("bursts") if run.is_complete]
    if done:
        query = (
            'select path, burst_id as burst, "order" as place '
            "from bursts join frames using (frame_id)"
        )
        table = survey.sql(query, (), bursts=survey.table("bursts", done[-1].name))
        return table, "Bursts are those of `discover bursts`."
    frames = truth.drop_duplicates("path").sort_values(["dive", "index"])
    rows = []
    for dive, of_dive in frames.groupby("dive"):
        areas = [cv2.convexHull(np.float32(f).reshape(-1, 2)) for f in of_dive["footprint"]]
        first = 0
        for n, (path, area) in enumerate(zip(of_dive["path"], areas, strict=True)):
            shared = cv2.intersectConvexConvex(areas[first], area)[0] / cv2.contourArea(area)
            first = first if shared > 0.3 else n
            stored = survey.stored_path(survey.root / "footage" / path)
            rows.append((stored, f"{dive}/{first}", n))
    return pd.DataFrame(rows, columns=["path", "burst", "place"]), (
        "Bursts are runs of frames whose true footprints overlap the first one's by 0.3."
    )


def sightings(survey: Survey, truth: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the true sightings, and the crops that lie on an object, under its true kind."""
    true = truth.dropna(subset=["object_id"]).rename(columns={"kind": "subcategory"})
    true["path"] = [survey.stored_path(survey.root / "footage" / path) for path in true["path"]]
    true["crop_id"] = range(len(true))
    run = survey.runs("embeddings")[-1]
    found = match_crops(survey, run, truth, survey.root / "footage").dropna(subset=["kind"])
    where = survey.sql(
        "select crop_id, path from crops join frames using (frame_id) where score >= 0.5",
        crops=survey.crops_of(run),
    )
    crops = found.merge(where, on="crop_id").rename(columns={"kind": "subcategory"})
    return {"every object in sight": true, "crops of `discover embed`, score 0.5 and more": crops}


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("survey", type=Path)
    survey = open_survey(parser.parse_args().survey)
    truth = pd.read_parquet(survey.root / "footage" / "truth.parquet")
    where, note = places(survey, truth)
    rows = []
    for name, seen in sightings(survey, truth).items():
        seen = seen[[*KIND, "path", "crop_id"]].merge(where, on="path")
        seen = seen.assign(frame_id=seen["path"], second=np.nan, named=True)
        objects = _objects(survey, truth, seen)
        for gap in GAPS:
            counts = count_sightings(seen, CountConfig(gap_frames=gap)).set_index(KIND)
            sums = counts[["crops", "bursts", "encounters", "individuals"]].sum()
            off = (counts["individuals"] - objects.reindex(counts.index)).abs().mean()
            naive = (counts["crops"] - objects.reindex(counts.index)).abs().mean()
            rows.append([name, gap, int(objects.sum()), *sums, f"{naive:.2f}", f"{off:.2f}"])
    record(
        "Counting kinds on the rendered demo",
        ["what is counted", "gap, frames", "distinct objects", "crops", "bursts", "encounters",
         "individuals", "error of crops", "error of individuals"],
        rows,
        f"Errors are means over dive and kind. {note} Objects are those that were counted at "
        "least once. The command's gap is 2 frames, where frames have no times.",
    )  # fmt: skip


def _objects(survey: Survey, truth: pd.DataFrame, seen: pd.DataFrame) -> pd.Series:
    """Return how many distinct objects of each dive and kind are on the frames counted."""
    known = truth.dropna(subset=["object_id"]).rename(columns={"kind": "subcategory"})
    known = known.assign(
        path=[survey.stored_path(survey.root / "footage" / path) for path in known["path"]]
    )
    of_frames = known.merge(seen[[*KIND, "path"]].drop_duplicates(), on=[*KIND, "path"])
    return of_frames.groupby(KIND)["object_id"].nunique()


if __name__ == "__main__":
    main()
