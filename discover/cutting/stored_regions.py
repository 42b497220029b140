"""Regions as an earlier run of crops holds them: nothing is looked for again."""

from pathlib import Path
from typing import Any

from classify.images import Decoded
from classify.runs import Run
from discover.cutting.regions import Found, Overlays
from discover.survey import Survey, SurveyError


class StoredRegions:
    """The crops of a run, to be embedded in another way.

    Args:
        survey: the survey.
        name: the run of crops; None takes the latest.

    Raises:
        SurveyError: there is no such run.
    """

    given = True

    def __init__(self, survey: Survey, name: str | None = None) -> None:
        self.run: Run = survey.run("crops", name)
        config = self.run.info["config"]
        self.mode = str(config["mode"])
        self.min_side = int(config.get("min_side", 512))  # runs of earlier releases do not say
        self.key: dict[str, Any] = config
        self.model_hash: str | None = self.run.info["model_hash"]

    def begin(
        self, files: list[Path], paths: list[str], dives: list[str], overlays: Overlays
    ) -> None:
        """Need nothing beforehand."""

    def find(self, paths: list[str], frames: list[Decoded]) -> list[list[Found]]:
        """Refuse: what is not stored takes what it was made with.

        Raises:
            SurveyError: always.
        """
        raise SurveyError(
            f"--crops {self.run.name} lacks the crops of some frames, such as {paths[0]}: make "
            "them by `discover embed` with the --model, --boxes or --whole-frame of that run"
        )
