"""Bursts and pairs for the small survey: runs of three frames, the first the keyframe."""

from classify.runs import start_run
from discover.survey import Survey, concat_rows

RUN = "bursts-55556666"


def add_bursts(survey: Survey) -> Survey:
    """Write a finished run of bursts, in which the first two frames of each are a proven pair."""
    frames = survey.frames.read(["frame_id", "dive", "index"]).to_pandas()
    frames = frames.sort_values(["dive", "index"], ignore_index=True)
    ids = frames["frame_id"].tolist()
    threes = [ids[n : n + 3] for n in range(0, len(ids), 3)]  # a dive has fifteen
    bursts = {
        "frame_id": ids,
        "burst_id": [min(three) for three in threes for _ in three],
        "keyframe": [frame == three[0] for three in threes for frame in three],
        "proof": [0.9] * len(ids),
        "order": frames["index"].tolist(),
        "flags": [[]] * len(ids),
    }
    pairs = {
        "frame_a": [three[0] for three in threes],
        "frame_b": [three[1] for three in threes],
        "inliers": [40] * len(threes),
        "overlap": [0.8] * len(threes),
        "proof": [0.9] * len(threes),
    }
    for stage, rows in (("pairs", pairs), ("bursts", bursts)):
        run = start_run(survey.run_folder(stage, RUN), command="discover bursts", config={})
        survey.table(stage, RUN).write("all", concat_rows(rows, stage))
        run.complete(counts={"bursts": len(threes), "in_bursts": len(ids)})
    return survey
