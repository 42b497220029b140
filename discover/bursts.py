"""Runs of frames that show the same scene, each with proof.

The costly parts, looks and proofs, are kept in the cache by what they depend on; the rest is fitted
and grouped anew for each set of frames. So a run that was killed goes on where it was, frames that
are added later cost only themselves, and the same frames always give the same run.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from classify.runs import Run, content_hash, start_run, write_atomic
from discover.scenes.comparing import Begin, BurstConfig, Search
from discover.scenes.evidence import evidence_figure
from discover.scenes.grouping import keyframe
from discover.scenes.looks import Looks
from discover.scenes.order import places
from discover.survey import Survey, SurveyError, concat_rows, unit_name

__all__ = ["BurstConfig", "find_bursts"]

VERSION = 1  # of the method: another makes another run


def find_bursts(
    survey: Survey, config: BurstConfig | None = None, *, stage: Begin | None = None
) -> Run:
    """Find the frames that show the same scene.

    Args:
        survey: the survey, with frames.
        config: settings; None takes the defaults.
        stage: called with the name of each stage; gives what is told (done, total).

    Returns:
        The run, of which `pairs/<name>` and `bursts/<name>` are the tables; the folder of the
        latter also holds `evidence.html`, how proof was told from chance. Every frame that can be
        read is in one burst, if alone. The same frames and settings give the same run.

    Raises:
        SurveyError: there are no frames, or none can be read.
    """
    config = config or BurstConfig()
    units = survey.frames.units()
    if not units:
        raise SurveyError(f"--survey {survey.root} has no frames: run `discover add FOLDER` first")
    key = {"version": VERSION, "config": config.to_dict(), "frames": units}
    name = f"bursts-{content_hash(key)}"
    done = {run.name: run for run in survey.runs("bursts") if run.is_complete}
    if name in done:
        return done[name]
    begin = stage or (lambda _name: lambda _done, _total: None)
    runs = [
        start_run(
            survey.run_folder(table, name),
            command="discover bursts",
            config=config.to_dict(),
            seed=0,
            parents={"pairs": name} if table == "bursts" else {},
        )
        for table in ("pairs", "bursts")
    ]
    search = Search(survey, config, begin)
    links = search.links()
    pairs = search.pairs()
    bursts = _bursts(search.frames, links, pairs, search.centre)
    bursts["flags"] = _flags(survey, search.looks, bursts)
    _write(survey, name, search.frames, pairs, bursts)
    figure = evidence_figure(search.compared, search.null, search.evidence)
    page = figure.to_html(include_plotlyjs=True, div_id="evidence")
    write_atomic(survey.run_folder("bursts", name) / "evidence.html", page.encode())
    counts = _counts(bursts, pairs, search)
    for run in runs:
        run.complete(counts=counts, evidence=search.evidence.to_dict())
    return runs[1]


def _bursts(
    frames: pd.DataFrame, links: pd.DataFrame, pairs: pd.DataFrame, centre: npt.NDArray[np.int64]
) -> pd.DataFrame:
    """Return the rows of the bursts table, without flags, and `dive`; in the order of `frames`."""
    table = frames[["frame_id", "dive", "sharpness", "brightness"]].copy()
    ids = table["frame_id"].to_numpy()
    table["burst_id"] = ids[centre]
    table["keyframe"] = False
    for rows in table.groupby("burst_id", sort=False).indices.values():
        best = keyframe(*(table[c].to_numpy(float)[rows] for c in ("sharpness", "brightness")))
        table.loc[rows[best], "keyframe"] = True
        table.loc[rows, "burst_id"] = min(ids[rows])  # whichever frame is the centre
    within = links[centre[links["a"].to_numpy(int)] == centre[links["b"].to_numpy(int)]]
    ends = pd.concat([within[["a", "proof"]], within[["b", "proof"]].rename(columns={"b": "a"})])
    table["proof"] = ends.groupby("a")["proof"].max().reindex(range(len(table))).to_numpy(float)
    table["order"] = _order(frames, pairs)
    return table


def _order(frames: pd.DataFrame, pairs: pd.DataFrame) -> npt.NDArray[np.float64]:
    place = np.full(len(frames), np.nan)
    weight = pairs[["overlap", "overlap_back"]].mean(axis=1) * pairs["proof"]
    edges = pd.DataFrame({"a": pairs["a"].astype(int), "b": pairs["b"].astype(int)})
    edges["weight"] = np.maximum(weight.to_numpy(float), 1e-3)
    dive = frames["dive"].to_numpy()
    edges = edges[dive[edges["a"]] == dive[edges["b"]]]
    of_dive = edges.groupby(dive[edges["a"]]).indices
    for name, rows in frames.groupby("dive").indices.items():
        own = edges.iloc[of_dive.get(name, [])]
        local = own.assign(a=own["a"] - rows[0], b=own["b"] - rows[0])  # rows of a dive adjoin
        place[rows] = places(frames.iloc[rows], local)
    return place


def _flags(survey: Survey, looks: Looks, bursts: pd.DataFrame) -> list[list[str]]:
    """Return what only the dive's other frames tell of each frame."""
    from discover.quality import dive_flags

    frames = survey.frames.read(["frame_id", "fineness"]).to_pandas().set_index("frame_id")
    flags: list[list[str]] = [[] for _ in range(len(bursts))]
    for rows in bursts.groupby("dive").indices.values():
        ids = bursts["frame_id"].to_numpy()[rows]
        greys = [looks.grey(frame_id) for frame_id in ids]
        shape = pd.Series([g.shape for g in greys]).mode()[0]
        alike = [i for i, grey in enumerate(greys) if grey.shape == shape]
        pictures = np.stack([np.repeat(greys[i][:, :, None], 3, axis=2) for i in alike])
        found = dive_flags(frames.loc[ids[alike]].reset_index(), pictures)
        for i, of_frame in zip(alike, found, strict=True):
            flags[rows[i]] = of_frame
    return flags


def _write(
    survey: Survey, name: str, frames: pd.DataFrame, pairs: pd.DataFrame, bursts: pd.DataFrame
) -> None:
    """Write both tables, a shard for each dive; shards of a run that was killed go first."""
    for table in ("pairs", "bursts"):
        for unit in survey.table(table, name).units():
            survey.table(table, name).discard(unit)
    ids = frames["frame_id"].to_numpy()
    of_dive = pairs.groupby(frames["dive"].to_numpy()[pairs["a"].to_numpy(int)]).indices
    for dive, rows in frames.groupby("dive").indices.items():
        unit = unit_name(ids[rows])
        own = bursts.iloc[rows]
        columns = {c: own[c].tolist() for c in ("frame_id", "burst_id", "keyframe", "flags")}
        columns["proof"] = [None if np.isnan(v) else v for v in own["proof"]]
        columns["order"] = [None if np.isnan(v) else int(v) for v in own["order"]]
        survey.table("bursts", name).write(unit, concat_rows(columns, "bursts"))
        mine = pairs.iloc[of_dive.get(dive, [])]
        values: dict[str, list[Any]] = {
            "frame_a": ids[mine["a"].to_numpy(int)].tolist(),
            "frame_b": ids[mine["b"].to_numpy(int)].tolist(),
            "inliers": mine["inliers"].astype(int).tolist(),
            "overlap": mine["overlap"].tolist(),
            "proof": mine["proof"].tolist(),
        }
        back = pa.array(mine["overlap_back"].tolist(), pa.float32())  # share of the scene of b
        rows_of = concat_rows(values, "pairs").append_column("overlap_back", back)
        survey.table("pairs", name).write(unit, rows_of)


def _counts(bursts: pd.DataFrame, pairs: pd.DataFrame, search: Search) -> dict[str, int]:
    size = bursts.groupby("burst_id").size()
    dive = search.frames["dive"].to_numpy()
    across = dive[pairs["a"].to_numpy(int)] != dive[pairs["b"].to_numpy(int)]
    return {
        "frames": len(bursts),
        "dives": int(bursts["dive"].nunique()),
        "bursts": len(size),
        "in_bursts": int(size[size > 1].sum()),
        "largest": int(size.max()),
        "compared": len(search.compared),
        "pairs": len(pairs),
        "pairs_across_dives": int(across.sum()),
        "bursts_across_dives": int((bursts.groupby("burst_id")["dive"].nunique() > 1).sum()),
        "without_order": int(bursts["order"].isna().sum()),
        "unreadable": search.unreadable,
    }
