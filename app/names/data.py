"""What the page of subcategories asks of the survey: the tree with counts, the pace, a head."""

from typing import Any

import pandas as pd

from app.data import Explorer
from discover.labels import Labels
from discover.naming.tree import LABEL, Tree

MOST_EVENTS = 5_000  # the latest, that the pace is drawn from
MOST_MARKS = 400  # of an annotator


def tree_rows(explorer: Explorer) -> list[dict[str, Any]]:
    """Return the tree as rows, each node before those below it.

    Returns:
        By node: `id, name, depth` (0 at the top), `path` ("A > B"), `parent` (id or None),
        `colour`, `codes` (text, "AphiaID: 123; key: value"), `own` (crops that bear it), `crops`,
        `human`, `machine`, `dives` (all with those below it), `who` and `when` (who named one of
        its own last).
    """
    tree = explorer.labels.tree()
    decided = explorer.labels.decided()
    decided = decided[decided["subcategory"].notna()]
    decided = decided.assign(dive=_dives(explorer, decided["crop_id"]))
    counts = _with_those_below(tree, decided)
    own = decided["subcategory"].value_counts()
    last = decided.sort_values("time_utc", kind="stable").drop_duplicates(
        "subcategory", keep="last"
    )
    last = last.set_index("subcategory")
    rows = []
    for node in tree.walk():
        said = last.loc[node.id] if node.id in last.index else None
        rows.append(
            {
                "id": node.id,
                "name": node.name,
                "depth": len(tree.ids(node.id)) - 1,
                "path": " > ".join(tree.path(node.id)),
                "parent": node.parent if node.parent in tree.nodes else None,
                "colour": node.colour,
                "codes": codes_text(node.codes),
                "own": int(own.get(node.id, 0)),
                **counts[node.id],
                "who": None if said is None else str(said["annotator"]),
                "when": None if said is None else str(said["time_utc"])[:16].replace("T", " "),
            }
        )
    return rows


def codes_text(codes: Any) -> str:  # noqa: ANN401 - a mapping
    """Return codes as a person reads and writes them: "AphiaID: 123776; SFDO: x"."""
    return "; ".join(f"{key}: {value}" for key, value in sorted(codes.items()))


def pace(labels: Labels) -> pd.DataFrame:
    """Return how many crops each annotator had labelled by when, of the latest events.

    Returns:
        `annotator, time, crops`, the running sum; what is undone is taken off again. At most
        `MOST_MARKS` rows an annotator.
    """
    rows = []
    for event in reversed(labels.history(MOST_EVENTS)):
        if LABEL not in event.fields or event.origin != "human":
            continue
        sign = -1 if event.action in ("undo", "clear") else 1
        rows.append((event.annotator, event.time_utc, sign * event.crops))
    table = pd.DataFrame(rows, columns=["annotator", "time", "crops"]).astype({"crops": "int64"})
    table["crops"] = table.groupby("annotator")["crops"].cumsum().clip(lower=0)
    parts = [_thinned(part) for _, part in table.groupby("annotator")]
    return pd.concat(parts, ignore_index=True) if parts else table


def _thinned(rows: pd.DataFrame) -> pd.DataFrame:
    """Return at most `MOST_MARKS` rows, evenly taken, the last among them."""
    step = -(-len(rows) // MOST_MARKS)
    return rows.iloc[::-1].iloc[::step].iloc[::-1]


def _dives(explorer: Explorer, crop_ids: pd.Series) -> pd.Series:
    """Return the dive of each crop, from whichever run cut it."""
    found = pd.Series(None, index=crop_ids.index, dtype=object)
    for run in explorer.crops_runs():
        missing = found.isna()
        if not missing.any():
            break
        found[missing] = crop_ids[missing].map(explorer.boxes(run)["dive"])
    return found


def _with_those_below(tree: Tree, decided: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Count crops, by origin, and dives of each node, those of the nodes below it included."""
    zero = {"crops": 0, "human": 0, "machine": 0}
    counts = {node: dict(zero) for node in tree.nodes}
    dives: dict[str, set[object]] = {node: set() for node in tree.nodes}
    for (node, origin), rows in decided.groupby(["subcategory", "origin"]):
        for above in tree.ids(str(node)):
            counts[above]["crops"] += len(rows)
            counts[above]["human" if origin == "human" else "machine"] += len(rows)
            dives[above].update(rows["dive"].dropna().unique())
    return {node: {**counts[node], "dives": len(dives[node])} for node in tree.nodes}
