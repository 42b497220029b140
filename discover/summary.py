"""What a survey holds, and what a clustering found, as plain values and as lines. Light."""

from typing import Any

from classify.runs import Run
from discover.flags import count_flags
from discover.labels import Labels
from discover.survey import LABELS_FILE, Survey

_STAGES = ("bursts", "embeddings", "clusters")


def survey_status(survey: Survey) -> dict[str, Any]:
    """Return counts of frames and dives, the runs of each stage, names given, and what is next."""
    frames = survey.sql("select count(*) as n, count(distinct dive) as dives from frames").iloc[0]
    runs = {stage: survey.runs(stage) for stage in _STAGES}
    named = 0
    if (survey.root / LABELS_FILE).exists():
        labels = Labels(survey.labels_url)
        named = len(labels.names())
        labels.close()
    return {
        "survey": str(survey.root),
        "frames": int(frames["n"]),
        "dives": int(frames["dives"]),
        "flags": count_flags(survey),
        **{stage: [_run_row(run) for run in found] for stage, found in runs.items()},
        "named_crops": named,
        "damaged_shards": [str(path) for path in sorted(survey.root.rglob("*.damaged"))],
        "next": _next_step(int(frames["n"]), runs),
    }


def status_lines(status: dict[str, Any]) -> list[str]:
    """Return `survey_status` as lines for a person."""
    lines = [f"{status['survey']}: {status['frames']} frames in {status['dives']} dives"]
    if status["flags"]:
        counts = ", ".join(f"{count} {flag}" for flag, count in status["flags"].items())
        lines.append(f"  flagged: {counts}")
    for stage in _STAGES:
        for run in status[stage]:
            what = _what(run["counts"]) if run["complete"] else "not finished"
            lines.append(f"  {stage}/{run['run']}: {what}")
    lines.append(f"  {status['named_crops']} crops have a name")
    lines += [f"  set aside as damaged: {path}" for path in status["damaged_shards"]]
    return [*lines, f"next: {status['next']}"]


def clustering_lines(run: Run) -> list[str]:
    """Return the summary of a clustering run as lines for a person."""
    counts = run.info["counts"]
    crops, noise, inherited = counts["crops"], counts["noise"], counts.get("inherited", 0)
    clustered = crops - inherited
    sizes = [row["size"] for row in run.info["clusters"]]
    lines = [
        f"{crops} crops of class {run.info['config']['class_name']} from {counts['dives']} dives: "
        f"clusters/{run.name}",
        f"  clusters   {counts['clusters']} (smallest group {counts['min_size']})",
        f"  noise      {noise} ({noise / clustered:.0%})",
    ]
    if inherited:
        lines.insert(
            1,
            f"  scenes     {clustered} clustered; {inherited} more crops of the same "
            "scenes take after them",
        )
    if sizes:
        more = ", ..." if len(sizes) > 15 else ""
        lines.append(f"  sizes      {', '.join(map(str, sizes[:15]))}{more}")
    else:
        lines.append("  every crop is noise: lower --min-size, or add frames")
    if counts["below_min_score"]:
        lines.append(
            f"  left out   {counts['below_min_score']} crops with a score below "
            f"{run.info['config']['min_score']}"
        )
    if counts["ami_dive"] is not None:
        lines.append(
            f"  AMI with dive {counts['ami_dive']:.2f} "
            "(0: clusters ignore the dive; 1: clusters are the dives)"
        )
    if counts["largest_share"] > 0.5:
        lines.append(f"  beware: one cluster holds {counts['largest_share']:.0%} of the crops")
    return [*lines, "next: discover explore"]


def _what(counts: dict[str, Any]) -> str:
    if "bursts" in counts:
        return f"{counts['frames']} frames in {counts['bursts']} bursts"
    clusters = counts.get("clusters")
    return f"{counts.get('crops', 0)} crops" + (
        "" if clusters is None else f" in {clusters} clusters"
    )


def _run_row(run: Run) -> dict[str, Any]:
    return {"run": run.name, "complete": run.is_complete, "counts": run.info.get("counts", {})}


def _next_step(frames: int, runs: dict[str, list[Run]]) -> str:
    if not frames:
        return "discover add FOLDER"
    if not any(run.is_complete for run in runs["bursts"]):
        return "discover bursts"
    if not any(run.is_complete for run in runs["embeddings"]):
        return "discover embed --model RUN (or --boxes COCO.json, or --whole-frame)"
    if not any(run.is_complete for run in runs["clusters"]):
        return "discover cluster --class waste"
    return "discover explore"
