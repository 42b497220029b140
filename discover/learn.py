"""From the names that people gave to a head that suggests names for the rest. It never decides."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classify.calibrate import fit_temperature
from classify.runs import Config, Run, RunError, start_run
from discover.learning.kind_choice import choose, confusion_of, learning_curve, scores_of
from discover.learning.kind_head import HEAD_FILE, fit_head
from discover.learning.learning_curve import write_curve
from discover.learning.named import crops_with_vectors, read_named
from discover.learning.suggest import looks_of, suggest
from discover.survey import Survey

log = logging.getLogger(__name__)

Stage = Callable[[str], object]


@dataclass(frozen=True)
class LearnConfig(Config):
    """How a head is learned.

    Attributes:
        class_name: the class whose kinds it tells apart; None takes all named crops.
        seed: of folds and learning curve.
    """

    class_name: str | None = None
    seed: int = 0


def learn(
    survey: Survey,
    out: Path,
    *,
    config: LearnConfig | None = None,
    embeddings: str | None = None,
    stage: Stage | None = None,
) -> Run:
    """Learn the kinds that people named, and suggest names for the other crops.

    The way, its amount and the calibration are chosen on dives that were left out of the fit.

    Args:
        survey: the survey, with embeddings and names.
        out: folder of the run: `head.json`, `head.safetensors`, `learning.html`; a later survey is
            named by it with `suggest`.
        config: settings; None takes the defaults.
        embeddings: the embeddings run; None takes the latest.
        stage: called with a line at the start of each stage.

    Returns:
        The run. Its counts hold how right the head is on crops of other dives: `accuracy`,
        `balanced_accuracy`, `calibration_error`, and `held_out_by`, which is "scene" where all
        names are of one dive. `suggestions/<run.info["suggestions"]>` is the table, and
        `run.info["confusion"]` has `kinds` and `counts`, a row for each kind that people named, a
        column for what the head took it for on other dives.

    Raises:
        SurveyError: there are no names, or of a single kind only.
        RunError: `out` holds another run.
    """
    config, say = config or LearnConfig(), stage or log.info
    if (out / HEAD_FILE).exists():
        raise RunError(f"--out {out} holds a head already: name another folder")
    source = survey.run("embeddings", embeddings)
    crops = crops_with_vectors(survey, source, config.class_name)
    named = read_named(survey, source, crops)
    run = start_run(
        out,
        command="discover learn",
        config=config.to_dict(),
        seed=config.seed,
        parents={"embeddings": source.name},
        model_hash=source.info.get("model_hash"),
    )
    say("choosing a head")
    (way, amount), unseen = choose(named, config.seed)
    targets = np.eye(len(named.kinds), dtype=np.float32)[named.numbers]
    temperature = fit_temperature(unseen, targets)
    scores = scores_of(unseen / temperature, named)
    head = fit_head(
        named.vectors, named.numbers, named.scenes, named.kinds, way, amount, temperature
    )
    say("drawing the learning curve")
    write_curve(learning_curve(named, way, amount, config.seed), named.held_out_by, out)
    head.save(out, class_name=config.class_name, embedding=looks_of(source))
    say("suggesting names")
    table = suggest(survey, out, embeddings=source.name)
    run.complete(
        counts={
            "named": len(named.numbers),
            "kinds": len(named.kinds),
            "held_out_by": named.held_out_by,
            "way": way,
            "amount": amount,
            **scores,
        },
        suggestions=table.name,
        confusion={"kinds": list(named.kinds), "counts": confusion_of(unseen, named)},
    )
    return run
