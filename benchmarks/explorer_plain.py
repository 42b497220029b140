# mypy: disable-error-code="untyped-decorator"
"""A plain map to compare the explorer with: all points in one figure, the lasso sends them back."""

from typing import Any

import plotly.graph_objects as go
from dash import Dash, Input, Output, dcc, html
from explorer_survey import RUN
from flask import Response

from app import images
from app.data import Explorer
from discover.survey import Survey


def plain_app(survey: Survey, shown: int) -> Dash:
    """Return a Dash application with a map of all crops, and the first of those in a lasso."""
    explorer = Explorer(survey)
    run = explorer.class_run(RUN)
    assert run is not None
    crops = explorer.crop_table(run).crops
    points = go.Scattergl(
        x=crops["map_x"],
        y=crops["map_y"],
        mode="markers",
        customdata=crops["crop_id"],
        marker={"color": crops["cluster"], "size": 4},
    )
    layout = {"dragmode": "lasso", "height": 700, "width": 800}
    figure = go.Figure(points, layout)
    app = Dash(__name__)
    app.layout = html.Div(
        [dcc.Graph(id="graph", figure=figure), html.Div(id="beside")], style={"display": "flex"}
    )

    @app.callback(
        Output("beside", "children"), Input("graph", "selectedData"), prevent_initial_call=True
    )
    def gallery(selected: dict[str, Any] | None) -> list[html.Img]:
        ids = [point["customdata"] for point in (selected or {}).get("points", [])]
        return [html.Img(src=f"/image/{crop}", width=96) for crop in ids[:shown]]

    @app.server.get("/image/<crop_id>")
    def image(crop_id: str) -> Response:
        data = images.thumbnail(explorer, crop_id, run=run.crops_run).data
        return Response(data, mimetype="image/jpeg")

    return app
