"""One page on a finished clustering: what is in each cluster, and how far to trust it."""

import base64
import html
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
import plotly.graph_objects as go
from PIL import Image

from classify.page import write_page
from classify.runs import Run
from discover.cutting.crop_store import Images, cut_crops
from discover.cutting.embedders import EmbedConfig
from discover.kinds.kind_scores import KindScores, kinds_of_truth, score_kinds
from discover.kinds.report_figures import (
    dives_figure,
    kinds_figure,
    map_figure,
    restyled,
    spread,
    tree_figure,
)
from discover.kinds.sweep_figure import sweep_figure
from discover.labels import labels_so_far
from discover.survey import Survey

REPORT_FILE = "report.html"
MOST_CLUSTERS = 60  # that are pictured
TYPICAL, EDGE, NOISE = 7, 3, 20  # pictures; ten stand in a row
_LOOK = EmbedConfig(size=112, background="keep", context=0.25)
_QUALITY = 78
_STABLE = 0.85  # AMI: below it, a cluster may be gone with the next seed

Part: TypeAlias = go.Figure | str
Progress = Callable[[int, int], None]


def write_report(
    survey: Survey,
    run: Run,
    *,
    truth: Path | None = None,
    out: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write a page on a clustering run: one file that needs no network.

    Args:
        survey: the survey.
        run: a finished run of `discover cluster`.
        truth: COCO file whose categories are kinds, to score the clusters by. Without it they are
            scored by the names that people gave, where there are any.
        out: the file; None writes `report.html` into the run's folder.
        progress: called with (frames done, frames in all) while crops are cut out.

    Returns:
        The page.

    Raises:
        SurveyError: a frame cannot be read, or `truth` does not fit.
    """
    crops = _crops(survey, run)
    scores = _scores(survey, crops, truth)
    parts: list[Part] = [_header(run), *_trust(run)]
    if scores is not None:
        parts += _kinds(scores[1], scores[0])
    parts.append("<h2>Where they lie</h2>")
    parts += [map_figure(crops), dives_figure(crops)]
    parts += _contact_sheets(survey, run, crops, progress)
    parts += _how_chosen(survey, run)
    path = out or run.path / REPORT_FILE
    write_page(parts, path, title=f"Kinds of {run.info['config']['class_name']}")
    return path


def _crops(survey: Survey, run: Run) -> pd.DataFrame:
    """Return the run's crops with all that the page says of them, in order of crop id."""
    embeddings = survey.run("embeddings", run.info["parents"]["embeddings"])
    table = survey.sql(
        "select * exclude (heat, heat_rows, heat_cols) from clusters join crops using (crop_id) "
        "join maps using (crop_id) join frames using (frame_id) order by crop_id",
        clusters=survey.table("clusters", run.name),
        crops=survey.crops_of(embeddings),
        maps=survey.table("maps", run.name),
    )
    table = table.rename(columns={"x": "left", "y": "top", "x_1": "x", "y_1": "y"})
    table["mask"] = table["mask"].astype(object).where(table["mask"].notna(), None)
    return table


def _scores(
    survey: Survey, crops: pd.DataFrame, truth: Path | None
) -> tuple[str, KindScores] | None:
    """Return how the clusters agree with what is known, and where that is from."""
    if truth is not None:
        boxes = crops.drop(columns=["x", "y"]).rename(columns={"left": "x", "top": "y"})
        kinds, source = kinds_of_truth(boxes, truth), f"the objects of {truth.name}"
    else:
        kinds, source = _names(survey), "the names that people gave"
    known = crops[crops["crop_id"].isin(kinds.index)]
    if known.empty:
        return None
    return source, score_kinds(known["cluster"].tolist(), kinds[known["crop_id"]].tolist())


def _names(survey: Survey) -> pd.Series:
    table = labels_so_far(survey)
    human = table[table["origin"] == "human"]
    return pd.Series(human["name"].to_numpy(object), index=human["crop_id"])


def _header(run: Run) -> str:
    counts, config = run.info["counts"], run.info["config"]
    name = html.escape(config["class_name"])
    clustered = counts["crops"] - counts["inherited"]
    cards = [
        (str(counts["clusters"]), "clusters", False),
        (f"{clustered:,}", f"crops of {counts['dives']} dives clustered", False),
        (f"{counts['inherited']:,}", "more, of the same scenes", False),
        (f"{counts['noise'] / clustered:.0%}", "in no cluster", counts["noise"] > clustered / 2),
        (f"{counts['largest_share']:.0%}", "in the largest", counts["largest_share"] > 0.5),
    ]
    if not counts["inherited"]:
        del cards[2]
    return (
        f"<h1>Kinds of {name}</h1><p class='quiet'><code>clusters/{html.escape(run.name)}</code>, "
        f"from <code>embeddings/{html.escape(run.info['parents']['embeddings'])}</code>, "
        f"{run.info['finished'][:16].replace('T', ' ')} UTC</p>" + _cards(cards)
    )


def _cards(cards: list[tuple[str, str, bool]]) -> str:
    drawn = [
        f"<div class='card{' bad' if bad else ''}'><b>{value}</b>"
        f"<span>{html.escape(what)}</span></div>"
        for value, what, bad in cards
    ]
    return f"<div class='cards'>{''.join(drawn)}</div>"


def _trust(run: Run) -> list[str]:
    """Say how stable the clusters are, and how much of them is the dive alone."""
    counts = run.info["counts"]
    cards = []
    for key, what in (("seeds_agree", "same clusters with another seed (AMI)"),
                      ("sizes_agree", "with a neighbouring smallest size (AMI)")):  # fmt: skip
        if counts.get(key) is not None:
            cards.append((f"{counts[key]:.2f}", what, counts[key] < _STABLE))
    if counts["ami_dive"] is not None:
        cards.append(
            (f"{counts['ami_dive']:.2f}", "explained by the dive alone (AMI; 0 is best)", False)
        )
    shaky = [what for _, what, bad in cards if bad]
    note = (
        f"<p class='note bad'>Not stable: {html.escape(' and '.join(shaky))} is below "
        f"{_STABLE}. Take single clusters with care, or set another --min-size.</p>"
    )
    return ["<h2>How far to trust it</h2>", _cards(cards), *([note] if shaky else [])]


def _kinds(scores: KindScores, source: str) -> list[Part]:
    cards = [
        (f"{scores.ami:.2f}", "AMI of clusters and kinds", False),
        (f"{scores.homogeneity:.2f}", "homogeneity: clusters hold one kind", False),
        (f"{scores.completeness:.2f}", "completeness: a kind is in one cluster", False),
        (f"{scores.coverage:.0%}", "of known crops are in a cluster", False),
    ]
    text = (
        f"<h2>Against what is known</h2><p>Scored by {html.escape(source)}: {scores.crops:,} crops "
        f"of {len(scores.kinds)} kinds. With the noise as one more cluster, AMI is "
        f"{scores.ami_with_noise:.2f}.</p>"
    )
    return [text, _cards(cards), kinds_figure(scores.kinds)]


def _contact_sheets(
    survey: Survey, run: Run, crops: pd.DataFrame, progress: Progress | None
) -> list[Part]:
    """Picture each cluster: typical members, then those at its edge; and the noise."""
    own = crops[crops["inherited_from"].isna()]
    chosen: list[tuple[str, list[int], list[int]]] = []
    for cluster in run.info["clusters"][:MOST_CLUSTERS]:
        rows = own[own["cluster"] == cluster["cluster"]]
        typical = spread(rows, TYPICAL, ["exemplar", "probability"], [False, False])
        rest = rows.drop(index=typical)
        edge = rest.sort_values(["probability", "crop_id"]).index[:EDGE]
        title = f"Cluster {cluster['cluster']}: {cluster['size']} crops of {cluster['dives']} dives"
        chosen.append((title, list(typical), list(edge)))
    noise = spread(own[own["cluster"] < 0], NOISE, ["novelty"], [False])
    chosen.append((f"In no cluster: {len(own[own['cluster'] < 0])} crops", list(noise), []))
    rows_of = [row for _, typical, edge in chosen for row in (*typical, *edge)]
    with tempfile.TemporaryDirectory() as scratch:
        looks = crops.loc[rows_of].drop(columns=["x", "y"])
        looks = looks.rename(columns={"left": "x", "top": "y"})
        pixels = cut_crops(survey, looks, _LOOK, Path(scratch) / "looks.npy", progress)
        sources = dict(zip(rows_of, map(_data_uri, pixels), strict=True))
        del pixels  # Windows removes no file that is mapped
    left_out = len(run.info["clusters"]) - MOST_CLUSTERS
    more = f" The {left_out} smallest are not pictured." if left_out > 0 else ""
    note = f"<p class='quiet'>Typical crops first; then, framed, those at the edge.{more}</p>"
    sheets = [_sheet(*group, sources, crops) for group in chosen if group[1]]
    return ["<h2>What is in them</h2>", note, _STYLE, *sheets]


def _sheet(
    title: str, typical: list[int], edge: list[int], sources: dict[int, str], crops: pd.DataFrame
) -> str:
    shown = [(row, "") for row in typical] + [(row, " class='edge'") for row in edge]
    about = crops.loc[[row for row, _ in shown]].to_dict("records")
    pictures = [
        _picture(sources[row], crop, style) for (row, style), crop in zip(shown, about, strict=True)
    ]
    return f"<h3>{html.escape(title)}</h3><div class='sheet'>{''.join(pictures)}</div>"


def _picture(source: str, crop: dict[Any, Any], style: str) -> str:
    about = html.escape(
        f"dive {crop['dive']}, {Path(crop['path']).name}, score {crop['score']:.2f}"
    )
    return f"<img src='{source}' title='{about}' alt='{about}' width='112' height='112'{style}>"


def _data_uri(pixels: Images) -> str:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"


def _how_chosen(survey: Survey, run: Run) -> list[Part]:
    parts: list[Part] = ["<h2>How they were chosen</h2>"]
    curve = survey.table("sweeps", run.name).read().to_pandas()
    if len(curve) > 1:
        parts.append(restyled(sweep_figure(curve)))
    tree = survey.table("trees", run.name).read().to_pandas()
    if len(tree):
        counts = run.info["counts"]
        clustered = counts["crops"] - counts["inherited"] - counts.get("placed", 0)
        parts.append(tree_figure(tree, clustered))
    config = {**run.info["config"], "seed": run.info["seed"], **run.info["versions"]}
    rows = [f"<dt>{html.escape(k)}</dt><dd>{html.escape(str(v))}</dd>" for k, v in config.items()]
    return [*parts, f"<dl class='facts'>{''.join(rows)}</dl>"]


_STYLE = """<style>
h3 { font-size: 15px; margin: 18px 0 6px; }
.sheet { display: flex; min-height: 112px; flex-wrap: wrap; gap: 6px; }
.sheet img { border-radius: 6px; display: block; }
.sheet img.edge { outline: 2px dashed #9fb4bf; outline-offset: -2px; }
</style>"""
