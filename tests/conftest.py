"""Settings and small real files that many tests share."""

from pathlib import Path

import pytest
import torch
from hypothesis import settings

settings.register_profile("steady", deadline=None)  # a loaded machine is no failure
settings.load_profile("steady")
torch.set_num_threads(1)  # two of them wait for each other where the machine is busy


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic survey's frames and truth: 3 dives of 24 frames."""
    from discover.demo.survey import render_survey

    folder = tmp_path_factory.mktemp("survey") / "footage"
    return render_survey(folder, dives=3, frames_per_dive=24, size=(180, 320), workers=2)
