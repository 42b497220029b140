from collections.abc import Iterator
from pathlib import Path

import pytest
from dash import Dash
from flask.testing import FlaskClient

from app import create_app
from app.data import Explorer
from discover.survey import Survey
from tests.app.survey_on_disk import build


@pytest.fixture
def survey(tmp_path: Path) -> Survey:
    return build(tmp_path / "Reef 7")


@pytest.fixture
def explorer(survey: Survey) -> Iterator[Explorer]:
    made = Explorer(survey, "mara")
    yield made
    made.labels.close()


@pytest.fixture
def app(survey: Survey) -> Dash:
    return create_app(survey, annotator="mara")


@pytest.fixture
def client(app: Dash) -> FlaskClient:
    return app.server.test_client()
