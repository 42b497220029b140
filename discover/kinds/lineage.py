"""What became of the clusters of an earlier run: kept, split, merged, appeared, vanished. Light.

Clusters are numbered anew by each run. A cluster's *lineage* is what stays: the run and the number
under which it first appeared. It passes on to the cluster that shares most crops with it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from classify.runs import Run
from discover.survey import Survey, concat_rows
from discover.tables import SCHEMAS

CHANGES = ("kept", "split", "merged", "regrouped", "appeared", "vanished")

_LINK = 0.25  # share of either cluster that two must have in common to count as related


@dataclass(frozen=True)
class Earlier:
    """The run that a new one is compared with.

    Attributes:
        run: its name.
        clusters: columns `crop_id, cluster`, noise among them.
        lineage: the lineage of each of its clusters.
    """

    run: str
    clusters: pd.DataFrame
    lineage: Mapping[int, str]


def whole_runs(survey: Survey) -> list[Run]:
    """Return the finished runs that clustered a whole class, not a part of it; earliest first."""
    done = [run for run in survey.runs("clusters") if run.is_complete]
    parts = ("within_run", "unnamed")
    return [run for run in done if not any(run.info["config"].get(part) for part in parts)]


def _part_of(run: Run) -> tuple[object, ...]:
    """Return which crops a run clustered; only runs of the same ones can be compared."""
    config = run.info["config"]
    within = config.get("within_run"), config.get("within_cluster")
    return config["class_name"], *within, bool(config.get("unnamed"))


def earlier_run(survey: Survey, run: Run) -> Earlier | None:
    """Return the latest finished run that clustered the same class (or cluster), or None."""
    part = _part_of(run)
    before = [
        other
        for other in survey.runs("clusters")
        if other.is_complete and other.name != run.name and _part_of(other) == part
    ]
    if not before:
        return None
    latest = before[-1]
    rows = survey.table("clusters", latest.name).read(["crop_id", "cluster"]).to_pandas()
    known = {int(c["cluster"]): c.get("lineage") for c in latest.info.get("clusters", [])}
    numbers = sorted(set(rows["cluster"].astype(int)) - {-1})
    return Earlier(latest.name, rows, {n: known.get(n) or founded(latest.name, n) for n in numbers})


def founded(run: str, cluster: int) -> str:
    """Return the lineage of a cluster that no earlier run had."""
    return f"{run}/{cluster}"


def trace(clusters: pd.DataFrame, earlier: Earlier | None, run: str) -> pa.Table:
    """Compare the clusters of a run with those of an earlier one.

    Two clusters are related where they share a quarter of either's crops, counted over the crops
    that both runs hold. Of two clusters that are related to one, the larger overlap (Jaccard)
    keeps its lineage; the other founds one of its own.

    Args:
        clusters: columns `crop_id, cluster` of the new run.
        earlier: the earlier run; None makes every cluster "appeared".
        run: the new run's name.

    Returns:
        The table `lineages`: a row for each pair of related clusters, each cluster that appeared
        and each that vanished.
    """
    numbers = sorted(set(clusters["cluster"].astype(int)) - {-1})
    if earlier is None:
        rows = [_row(run, n, None, "appeared", founded(run, n)) for n in numbers]
        return _table(rows)
    links = _links(clusters, earlier.clusters)
    heirs = _heirs(links)
    lineage = {n: earlier.lineage[heirs[n]] if n in heirs else founded(run, n) for n in numbers}
    children, parents = Counter(links["earlier"]), Counter(links["cluster"])
    rows = []
    for link in links.to_dict("records"):
        cluster, before = link["cluster"], link["earlier"]
        change = _change(children[before], parents[cluster])
        row = _row(run, cluster, before, change, lineage[cluster])
        shares = {key: link[key] for key in ("shared", "of_cluster", "of_earlier")}
        rows.append(row | shares | {"earlier_run": earlier.run})
    for n in numbers:
        if n not in parents:
            rows.append(_row(run, n, None, "appeared", lineage[n]) | {"earlier_run": earlier.run})
    for n, name in earlier.lineage.items():
        if n not in children:
            rows.append(_row(run, None, n, "vanished", name) | {"earlier_run": earlier.run})
    return _table(rows)


def count_changes(rows: pa.Table) -> dict[str, int]:
    """Return how many clusters were kept, split, ...: of the new run, and vanished of the earlier.

    A cluster that has several links counts once, by the change that says most.
    """
    table = rows.to_pandas()
    gone = int((table["change"] == "vanished").sum())
    order = {change: rank for rank, change in enumerate(CHANGES)}
    new = table.dropna(subset=["cluster"])
    worst = new.assign(rank=new["change"].map(order)).groupby("cluster")["rank"].max()
    counts = Counter(CHANGES[rank] for rank in worst)
    return {change: counts[change] for change in CHANGES if counts[change]} | (
        {"vanished": gone} if gone else {}
    )


def _links(new: pd.DataFrame, old: pd.DataFrame) -> pd.DataFrame:
    """Return `cluster, earlier, shared, of_cluster, of_earlier, jaccard` of related clusters."""
    both = new[["crop_id", "cluster"]].merge(
        old[["crop_id", "cluster"]].rename(columns={"cluster": "earlier"}), on="crop_id"
    )
    sizes = {side: both.groupby(side).size() for side in ("cluster", "earlier")}
    inside = both[(both["cluster"] >= 0) & (both["earlier"] >= 0)]
    pairs = inside.groupby(["cluster", "earlier"]).size().rename("shared").reset_index()
    of_new, of_old = (pairs[side].map(sizes[side]) for side in ("cluster", "earlier"))
    pairs["of_cluster"], pairs["of_earlier"] = pairs["shared"] / of_new, pairs["shared"] / of_old
    pairs["jaccard"] = pairs["shared"] / (of_new + of_old - pairs["shared"])
    return pairs[(pairs["of_cluster"] >= _LINK) | (pairs["of_earlier"] >= _LINK)]


def _heirs(links: pd.DataFrame) -> dict[int, int]:
    """Return for each cluster the earlier one whose lineage it carries on."""
    heirs: dict[int, int] = {}
    largest_first = links.sort_values("jaccard", ascending=False, kind="stable")
    for cluster, earlier in largest_first[["cluster", "earlier"]].to_numpy().tolist():
        if cluster not in heirs and earlier not in heirs.values():
            heirs[cluster] = earlier
    return heirs


def _change(children: int, parents: int) -> str:
    if children > 1 and parents > 1:
        return "regrouped"
    return "split" if children > 1 else "merged" if parents > 1 else "kept"


def _row(
    run: str, cluster: int | None, earlier: int | None, change: str, lineage: str
) -> dict[str, object]:
    return {
        "cluster": cluster,
        "lineage": lineage,
        "change": change,
        "earlier_run": None,
        "earlier": earlier,
        "shared": None,
        "of_cluster": None,
        "of_earlier": None,
    }


def _table(rows: Iterable[dict[str, object]]) -> pa.Table:
    listed = list(rows)
    return concat_rows(
        {n: [row[n] for row in listed] for n in SCHEMAS["lineages"].names}, "lineages"
    )
