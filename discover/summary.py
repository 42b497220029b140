"""What a survey holds, and what a clustering found, as plain values and as lines. Light."""

from typing import Any

from classify.runs import Run
from discover.flags import count_flags
from discover.kinds.members import FEWEST
from discover.kinds.sweep import STABLE
from discover.labels import labels_so_far
from discover.survey import Survey
from discover.tables import DamagedShard

_STAGES = ("bursts", "embeddings", "clusters")


def survey_status(survey: Survey) -> dict[str, Any]:
    """Return counts of frames and dives, the runs of each stage, names given, and what is next."""
    frames = survey.sql("select count(*) as n, count(distinct dive) as dives from frames").iloc[0]
    runs = {stage: survey.runs(stage) for stage in _STAGES}
    return {
        "survey": str(survey.root),
        "frames": int(frames["n"]),
        "dives": int(frames["dives"]),
        "flags": count_flags(survey),
        **{stage: [_run_row(run) for run in found] for stage, found in runs.items()},
        "named_crops": len(labels_so_far(survey)),
        "damaged_shards": [str(path) for path in sorted(survey.root.rglob("*.damaged"))],
        "next": _next_step(survey, int(frames["n"]), runs),
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
    counts, config = run.info["counts"], run.info["config"]
    crops, noise, inherited = counts["crops"], counts["noise"], counts.get("inherited", 0)
    clustered = crops - inherited
    sizes = [row["size"] for row in run.info["clusters"]]
    whole = "" if config.get("within_run") is None else f" of {_within(config)}"
    lines = [
        f"{crops} crops of class {config['class_name']}{whole} from {counts['dives']} dives: "
        f"clusters/{run.name}",
        *_scene_lines(clustered, inherited, counts.get("placed", 0)),
        f"  clusters   {counts['clusters']} (smallest group {counts['min_size']})",
        f"  noise      {noise} ({noise / clustered:.0%})",
    ]
    if sizes:
        more = ", ..." if len(sizes) > 15 else ""
        lines.append(f"  sizes      {', '.join(map(str, sizes[:15]))}{more}")
    else:
        lines.append(f"  every crop is noise: {_remedy(config)}")
    if counts["below_min_score"]:
        lines.append(
            f"  left out   {counts['below_min_score']} crops with a score below "
            f"{config['min_score']}"
        )
    if counts["ami_dive"] is not None:
        lines.append(
            f"  AMI with dive {counts['ami_dive']:.2f} "
            "(0: clusters ignore the dive; 1: clusters are the dives)"
        )
    if counts["largest_share"] > 0.5:
        lines.append(f"  beware: one cluster holds {counts['largest_share']:.0%} of the crops")
    return [*lines, *_stability_lines(counts), *_change_lines(counts), "next: discover explore"]


def _remedy(config: dict[str, Any]) -> str:
    if config.get("within_run") is None:
        return "lower --min-size, or add frames"
    return "the cluster holds together, there are no finer kinds in it that are large enough"


def _within(config: dict[str, Any]) -> str:
    return f"cluster {config['within_cluster']} of {config['within_run']}"


def _scene_lines(clustered: int, inherited: int, placed: int) -> list[str]:
    lines = []
    if inherited:
        lines.append(
            f"  scenes     {clustered} clustered; {inherited} more crops of the same "
            "scenes take after them"
        )
    if placed:
        lines.append(
            f"  landmarks  {clustered - placed} made the clusters; {placed} more are placed "
            "among them"
        )
    return lines


def _stability_lines(counts: dict[str, Any]) -> list[str]:
    """Return how far another seed or size would give the same, and a warning where it would not."""
    names = {"seeds_agree": "another seed", "sizes_agree": "a neighbouring size"}
    known = {what: counts[key] for key, what in names.items() if counts.get(key) is not None}
    if not known or not counts["clusters"]:
        return []
    told = ", ".join(f"{value:.2f} with {what}" for what, value in known.items())
    lines = [f"  stability  {told} (AMI; 1: the same clusters)"]
    weak = [what for what, value in known.items() if value < STABLE]
    if weak:
        lines.append(
            f"  beware: with {' or '.join(weak)} many crops change their cluster; trust what "
            "stays together, and name crops rather than numbers"
        )
    return lines


def _change_lines(counts: dict[str, Any]) -> list[str]:
    if not counts.get("earlier_run"):
        return []
    changes = ", ".join(f"{number} {change}" for change, number in counts["changes"].items())
    return [f"  against    {counts['earlier_run']}: {changes}; names stay with their crops"]


def _what(counts: dict[str, Any]) -> str:
    if "bursts" in counts:
        return f"{counts['frames']} frames in {counts['bursts']} bursts"
    clusters = counts.get("clusters")
    return f"{counts.get('crops', 0)} crops" + (
        "" if clusters is None else f" in {clusters} clusters"
    )


def _run_row(run: Run) -> dict[str, Any]:
    return {"run": run.name, "complete": run.is_complete, "counts": run.info.get("counts", {})}


def _next_step(survey: Survey, frames: int, runs: dict[str, list[Run]]) -> str:
    if not frames:
        return "discover add FOLDER"
    if not any(run.is_complete for run in runs["bursts"]):
        return "discover bursts"
    if not any(run.is_complete for run in runs["embeddings"]):
        return "discover embed --model RUN (or --boxes COCO.json, or --whole-frame)"
    try:
        missing = _unclustered(survey, runs)
    except DamagedShard:
        return "discover doctor"
    return "discover explore" if missing is None else f"discover cluster --class {missing}"


def _unclustered(survey: Survey, runs: dict[str, list[Run]]) -> str | None:
    """Return the class with the most crops that has no clusters; None where all have some."""
    latest = [run for run in runs["embeddings"] if run.is_complete][-1]
    sizes = survey.crops_of(latest).read(["class"])["class"].to_pandas().value_counts()
    known = {run.info["config"].get("class_name") for run in runs["clusters"] if run.is_complete}
    missing = sizes[(sizes >= FEWEST) & ~sizes.index.isin(known)]
    return None if missing.empty else str(missing.index[0])
