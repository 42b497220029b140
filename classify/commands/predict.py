"""`classify predict`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from classify.commands.options import Json
from classify.console import print_json, say, stages


def predict(
    images: Annotated[list[Path], Parameter(consume_multiple=True)],
    /,
    *,
    model: Path,
    out: Path = Path("predictions.csv"),
    as_json: Json = False,
) -> None:
    """Name what frames show; "not sure" where the probability is too low to rely on.

    Example: classify predict dive12/ --model runs/elements --out dive12.csv

    Parameters
    ----------
    images
        Images, folders of images, or a survey, into which the predictions are then written.
    model
        A finished run of `classify train`.
    out
        CSV or Parquet file for the predictions of images.
    as_json
        Print the result for machines.
    """
    from classify.printed import prediction_lines

    with stages(silent=as_json) as begin:
        if len(images) == 1 and (images[0] / "survey.toml").is_file():
            from discover.predictions import predict_frames
            from discover.survey import open_survey

            survey = open_survey(images[0])
            done = predict_frames(survey, model, progress=begin("predicting"))
            table = survey.table("predictions", done.name).read().to_pandas()
            where = f"{survey.root / 'predictions' / done.name}"
        else:
            from classify.predict import check_ending, predict_images, write_predictions

            check_ending(out)
            table = predict_images(model, images, progress=begin("predicting"))
            write_predictions(table, out)
            where = str(out)
    if as_json:
        print_json({"predictions": where, "rows": len(table)})
        return
    for line in prediction_lines(table):
        say(line)
    say(f"predictions: {where}")
