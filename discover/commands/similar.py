"""`discover similar`."""

from pathlib import Path
from typing import Any

from classify.console import print_json, say
from classify.runs import Run
from discover.commands.options import HERE, Json, SurveyDir
from discover.survey import Survey, SurveyError, open_survey


def similar(
    what: str,
    *,
    most: int = 20,
    embeddings: str | None = None,
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Find the crops that look most like a crop, or like an image.

    Example: discover similar bottle.jpg --survey atoll

    Parameters
    ----------
    what
        Id of a crop, or an image file that shows the thing alone.
    most
        Crops to list.
    embeddings
        Embeddings run; by default the latest.
    """
    opened = open_survey(survey)
    run = opened.run("embeddings", embeddings)
    from discover.naming.nearness import nearest, nearest_to

    if Path(what).is_file():
        line = nearest_to(opened, run.name, _vector(Path(what), run))
    else:
        ids = opened.table("embeddings", run.name).read(["crop_id"])["crop_id"].to_pylist()
        if what not in ids:
            raise SurveyError(f"{what!r} is neither an image file nor a crop of {run.name}")
        line = nearest(opened, run.name, [what], among=ids)
    rows = _rows(opened, run, dict(line.head(most).itertuples(index=False)))
    if as_json:
        print_json(rows)
        return
    for row in rows:
        place = f"{row['x']},{row['y']} {row['w']}x{row['h']}"
        say(f"{row['similarity']:.2f}  {row['crop_id']}  {row['class']:8}  {row['path']}  {place}")


def _vector(image: Path, run: Run) -> Any:  # noqa: ANN401 - numpy comes late
    """Return the vector of length 1 of a whole image, made as those of a run were."""
    import numpy as np

    from discover.crops import Cut
    from discover.cutting.embedders import CropEmbedder, EmbedConfig
    from discover.cutting.frame_image import FrameImage

    settings = run.info["config"].get("embed")
    if settings is None:
        raise SurveyError(
            f"--embeddings {run.name} holds a classifier's map of whole frames, which an image "
            "alone has none of: name another run"
        )
    config = EmbedConfig.from_dict(settings)
    frame = FrameImage(image)
    decoded = frame.at(config.side)
    whole = (0, 0, decoded.width, decoded.height)
    (vector,) = CropEmbedder(config, min_side=config.side)(frame, [Cut(whole, None, whole)])
    return vector / np.linalg.norm(vector)


def _rows(survey: Survey, run: Run, similarity: dict[str, float]) -> list[dict[str, Any]]:
    crops = survey.sql(
        'select crop_id, "class", path, x, y, w, h from crops join frames using (frame_id)',
        crops=survey.crops_of(run),
    ).set_index("crop_id")
    found = crops.loc[list(similarity)].reset_index()
    found.insert(0, "similarity", [round(similarity[crop], 4) for crop in found["crop_id"]])
    return [{str(k): v for k, v in row.items()} for row in found.to_dict("records")]
