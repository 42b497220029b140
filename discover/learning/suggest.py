"""Names suggested for crops that nobody named."""

from pathlib import Path
from typing import Any

import numpy as np

from classify.runs import Run, RunError, content_hash, start_run
from discover.kinds.clustered import UNLIKE
from discover.kinds.members import read_vectors
from discover.learning.kind_head import HEAD_FILE, load_head, normalised
from discover.learning.named import crops_with_vectors, decided
from discover.learning.worth_a_look import worth_a_look
from discover.survey import Survey, SurveyError, concat_rows

SURE = 0.9  # confidence
_NEXT = 200  # crops that are worth a look


def suggest(survey: Survey, head: Path, *, embeddings: str | None = None) -> Run:
    """Suggest names for the crops of a survey that nobody named.

    Args:
        survey: the survey: that of the names, or another, embedded in the same way.
        head: folder of a run of `learn`.
        embeddings: the embeddings run; None takes the latest that is like the head's.

    Returns:
        The run, of which `suggestions/<name>` is the table: `crop_id, name, confidence`
        (calibrated), `novelty` (from 0.95 on it is unlike anything named), and `next`, a rank of
        what to look at first, null beyond the first 200.

    Raises:
        RunError: `head` is no run of `learn`.
        SurveyError: the survey has no embeddings that were made as the head's were.
    """
    if not (head / HEAD_FILE).is_file():
        raise RunError(f"--head {head} is not a folder that `discover learn` wrote")
    learned, about = load_head(head)
    source = _source_like(survey, about, embeddings)
    crops = crops_with_vectors(survey, source, about["class_name"])
    crops = crops[~crops["crop_id"].isin(list(decided(survey)))].reset_index(drop=True)
    vectors = np.zeros((0, len(learned.mean)), np.float32)
    if len(crops):
        vectors = read_vectors(survey, source, crops["crop_id"].to_numpy(object))
    probabilities = learned.probabilities(vectors)
    rank = np.full(len(crops), -1)
    first = worth_a_look(
        normalised(vectors - learned.mean),
        probabilities,
        crops["dive"].to_numpy(object),
        count=_NEXT,
    )
    rank[first] = np.arange(len(first))
    key = [content_hash(about), learned.temperature, source.name, crops["crop_id"].tolist()]
    run = start_run(
        survey.run_folder("suggestions", f"{about['class_name'] or 'all'}-{content_hash(key)}"),
        command="discover predict",
        config={"head": str(head), "class_name": about["class_name"]},
        parents={"embeddings": source.name},
    )
    columns: dict[str, list[Any]] = {
        "crop_id": crops["crop_id"].tolist(),
        "name": [learned.kinds[i] for i in probabilities.argmax(axis=1)],
        "confidence": probabilities.max(axis=1).tolist(),
        "novelty": learned.novelty(vectors).tolist(),
        "next": [int(r) if r >= 0 else None for r in rank],
    }
    survey.table("suggestions", run.name).write(
        "all", concat_rows(columns, "suggestions"), replace=True
    )
    run.complete(counts=_count(columns))
    return run


def _count(columns: dict[str, list[Any]]) -> dict[str, Any]:
    novelty = np.array(columns["novelty"])
    return {
        "suggested": len(columns["crop_id"]),
        "unlike_anything": int((novelty >= UNLIKE).sum()),
        "sure": int(((np.array(columns["confidence"]) >= SURE) & (novelty < UNLIKE)).sum()),
    }


def looks_of(source: Run) -> dict[str, Any]:
    """Return what makes two embeddings comparable: the settings and the weights."""
    embed = dict(source.info["config"].get("embed", {"pooled": True}))
    return {"embed": embed, "model_hash": source.info.get("model_hash")}


def _source_like(survey: Survey, about: dict[str, Any], name: str | None) -> Run:
    runs = [survey.run("embeddings", name)] if name else survey.runs("embeddings")
    alike = [run for run in runs if run.is_complete and looks_of(run) == about["embedding"]]
    if not alike:
        embed = about["embedding"]["embed"]
        raise SurveyError(
            f"{survey.root} has no embeddings like those that the head was learned on: run "
            f"`discover embed` with --backbone {embed.get('backbone')} --background "
            f"{embed.get('background')} --size {embed.get('size')}"
        )
    return alike[-1]
