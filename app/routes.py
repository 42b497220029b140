# mypy: disable-error-code="untyped-decorator"
"""What the scripts of the page ask for as JSON: crops by id, groups, parts of a cluster.

A verdict then changes what is seen of a crop and moves nothing.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from flask import Flask, Response, abort, jsonify, request

from app.crops import likeness
from app.crops import queue as queries
from app.crops.listing import selected
from app.crops.selection import suggested
from app.crops.state import group_text
from app.data import ClassRun, Explorer
from classify.errors import UserError
from discover.kinds.branches import branches

_MOST_ASKED = 600  # crops of one question


def register(server: Flask, explorer: Explorer) -> None:
    """Answer the page's scripts."""

    @server.post("/data/crops")
    def crops() -> Response:
        asked = request.get_json(silent=True) or {}
        wanted = asked.get("crops")
        if not isinstance(wanted, list) or len(wanted) > _MOST_ASKED:
            abort(400, f"crops: a list of at most {_MOST_ASKED} ids")
        run = _run(explorer, asked.get("run"))
        return jsonify(details(explorer, run, [str(crop) for crop in wanted]))

    @server.get("/data/groups")
    def groups() -> Response:
        run = _run(explorer, request.args.get("run"))
        return jsonify(_groups(explorer, run))

    @server.get("/data/parts")
    def parts() -> Response:
        run = _run(explorer, request.args.get("run"))
        cluster = request.args.get("group", type=int)
        if cluster is None:
            abort(400, "group: the number of a cluster")
        return jsonify(part_rows(explorer, run, cluster))

    @server.get("/data/names")
    def names() -> Response:
        run = _run(explorer, request.args.get("run"))
        return jsonify(_names(explorer, run))

    _search_by_picture(server, explorer)


def _search_by_picture(server: Flask, explorer: Explorer) -> None:
    @server.post("/data/similar")
    def similar() -> Response | tuple[Response, int]:
        run = _run(explorer, request.args.get("run"))
        try:
            key = likeness.keep_picture(explorer, request.get_data())
            found = len(likeness.like(explorer, run, key))
        except UserError as error:
            return jsonify({"error": str(error)}), 422
        return jsonify({"like": key, "found": found})

    @server.get("/picture/<path:key>")
    def kept(key: str) -> Response:
        try:
            return Response(likeness.picture(explorer, key), mimetype="image/png")
        except likeness.PictureError as error:
            abort(404, str(error))


def details(explorer: Explorer, run: ClassRun, wanted: list[str]) -> dict[str, dict[str, Any]]:
    """Return what is seen of crops, by id; crops that the run has not are left out."""
    crops = explorer.crops(run)
    places = explorer.crop_table(run).places(wanted)
    some = crops.iloc[places[places >= 0]].astype({"time_utc": str})
    some = some.assign(shown=suggested(some))
    some = some.astype(object).where(some.notna(), None)
    return {row["crop_id"]: _seen(row) for row in some.to_dict("records")}


def part_rows(explorer: Explorer, run: ClassRun, cluster: int) -> list[dict[str, Any]]:
    """Return the parts of a cluster as rows of the queue."""
    table = explorer.crop_table(run)
    found = []
    for number, _ in enumerate(branches(explorer.survey, run.name, cluster)):
        what = {"group": str(cluster), "part": number}
        crops, rows = selected(explorer, run, what)
        if len(rows):
            row = queries.of_rows(crops, rows, table.typical)
            found.append(row | what | {"title": f"part {number + 1}"})
    return found


def _run(explorer: Explorer, name: object) -> ClassRun:
    run = explorer.class_run(str(name)) if name else None
    if run is None or run.name != name:
        abort(404, f"run {name!r} is not in this survey")
    return run


def _seen(row: Mapping[Any, Any]) -> dict[str, Any]:
    where = f"dive {row['dive']} · frame {row['index']}"
    time = row["time_utc"]
    proposed = None
    if row["shown"]:
        proposed = [row["suggested"], round(float(row["confidence"]), 2)]
    return {
        "where": where if time in (None, "NaT") else f"{where} · {time[:16]}",
        "frame": row["frame_id"],
        "group": group_text(int(row["group"])),
        "probability": round(float(row["probability"]), 3),
        "exemplar": bool(row["exemplar"]),
        "flags": row["flags"] or "",
        "label": row["label"],
        "origin": row["origin"],
        "validated": bool(row["validated"]),
        "second": row["flag"],
        "suggested": proposed,
    }


def _groups(explorer: Explorer, run: ClassRun) -> list[dict[str, Any]]:
    table = explorer.crop_table(run)
    rows = queries.queue(explorer.crops(run), table.typical, run.persistence, sort="size")
    return [
        {
            "group": row["group"],
            "size": row["size"],
            "names": [name for name, _, _ in row["names"][:2]],
            "exemplars": row["exemplars"][:3],
        }
        for row in rows
        if row["group"] is not None
    ]


def _names(explorer: Explorer, run: ClassRun) -> list[list[Any]]:
    """Return the subcategories of the survey, and how many crops of the run bear each."""
    crops = explorer.crops(run)["name"]
    counts = np.bincount(crops.cat.codes[crops.cat.codes >= 0], minlength=len(crops.cat.categories))
    by_name = pd.Series(counts, crops.cat.categories)
    tree = explorer.labels.tree()
    known = {tree.text(node): 0 for node in tree.nodes}
    known |= {str(name): int(n) for name, n in by_name[by_name > 0].items()}
    return [[name, n] for name, n in sorted(known.items(), key=lambda i: (-i[1], i[0]))]
