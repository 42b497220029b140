"""Seconds and memory of `discover cluster` on synthetic surveys, beside umap-learn and hdbscan.

python benchmarks/cluster_scale.py 20000                # and umap-learn + hdbscan on raw vectors
python benchmarks/cluster_scale.py 200000 --ours-only
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from record import record
from sklearn.metrics import adjusted_mutual_info_score as ami

from classify.runs import start_run
from discover.survey import Survey, concat_rows, open_survey
from discover.tables import SCHEMAS, vectors_to_column

KINDS, DIM, SHARD = 300, 1280, 10_000
HEADER = ["crops", "way", "import and compile, s", "then, s", "of it CPU, s", "peak, GiB"]
HEADER += ["clusters", "coverage", "AMI with kinds", "rare kinds found"]
OURS, RIVAL = "discover cluster", "umap-learn + hdbscan"


def vectors_of(shard: int, count: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Draw vectors of a mixture whose kinds differ much in number, spread and direction."""
    world = np.random.default_rng(0)
    shares = 1 / np.arange(1, KINDS + 1) ** 1.1
    centres, spreads = world.normal(size=(KINDS, 48)), world.uniform(0.3, 0.7, KINDS)
    mixing = world.normal(size=(48, DIM)) / 7
    rng = np.random.default_rng(shard + 1)
    kinds = rng.choice(KINDS, count, p=shares / shares.sum())
    inner = centres[kinds] + rng.normal(size=(count, 48)) * spreads[kinds, None]
    vectors = inner @ mixing + 0.3 * rng.normal(size=(count, DIM))
    return vectors.astype(np.float32), kinds


def write_survey(folder: Path, crops: int) -> Survey:
    """Write a survey of `crops` frames with one crop each, in 20 dives, a shard at a time."""
    survey = open_survey(folder, create=True)
    for number, start in enumerate(range(0, crops, SHARD)):
        count = min(SHARD, crops - start)
        vectors, kinds = vectors_of(number, count)
        ids = [f"{i:08d}" for i in range(start, start + count)]
        dives = [f"d{i * 20 // crops}" for i in range(start, start + count)]
        common = {"frame_id": ids, "crop_id": ids, "class": ["waste"] * count}
        common |= {"score": [1.0] * count, "dive": dives, "path": [f"{k}.jpg" for k in kinds]}
        for name in ("frames", "crops"):
            table = survey.frames if name == "frames" else survey.table(name, "r")
            columns = {c: common.get(c, [None] * count) for c in SCHEMAS[name].names}
            table.write(f"{number:04d}", concat_rows(columns, name))
        column, described = vectors_to_column(vectors)
        rows = pa.table({"crop_id": ids, "vector": column}).replace_schema_metadata(described)
        survey.table("embeddings", "r").write(f"{number:04d}", rows)
    start_run(survey.run_folder("embeddings", "r"), command="embed", config={}).complete(counts={})
    return survey


def compile_first(way: str) -> float:
    """Run one way on a few vectors, so that numba has compiled; return the seconds."""
    start = time.monotonic()
    few = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    if way == OURS:
        from discover.project import NeighbourGraph, ProjectConfig

        graph = NeighbourGraph(few, ProjectConfig())
        graph.layout(dimensions=8, min_dist=0.0, seed=0)
    else:
        from umap import UMAP

        several = np.repeat(few, 15, axis=0) + 0.01  # enough for approximate neighbours
        UMAP(random_state=0, n_jobs=1).fit(several)
    return time.monotonic() - start


def run_ours(survey: Survey) -> npt.NDArray[np.int64]:
    """Cluster through the survey, and return the labels in order of crop id."""
    from discover.cluster import ClusterConfig, cluster

    run = cluster(survey, ClusterConfig("waste"), stage=lambda line: print(line, flush=True))
    print({k: run.info["counts"][k] for k in ("min_size", "stability", "placed")})
    table = survey.table("clusters", run.name).read(["crop_id", "cluster"]).to_pandas()
    return table.sort_values("crop_id")["cluster"].to_numpy(np.int64)


def run_rival(survey: Survey) -> npt.NDArray[np.int64]:
    """Cluster raw vectors by umap-learn and hdbscan, with a seed."""
    from hdbscan import HDBSCAN
    from umap import UMAP

    from discover.tables import column_to_vectors

    vectors = column_to_vectors(survey.table("embeddings", "r").read())
    layout = UMAP(n_components=8, min_dist=0.0, random_state=0, n_jobs=1).fit_transform(vectors)
    UMAP(random_state=0, n_jobs=1).fit_transform(vectors)  # the map
    labels = HDBSCAN(min_cluster_size=20, core_dist_n_jobs=1).fit(layout).labels_
    return np.asarray(labels, np.int64)


def measure(way: str, folder: Path) -> None:
    """Print a row for one way, in a process of its own so that its memory is its own."""
    survey = open_survey(folder)
    names = survey.frames.read(["frame_id", "path"]).to_pandas().sort_values("frame_id")["path"]
    kinds = names.str.removesuffix(".jpg").to_numpy(np.int64)
    compiled = compile_first(way)
    start, busy = time.monotonic(), time.process_time()
    labels = run_ours(survey) if way == OURS else run_rival(survey)
    seconds, busy = time.monotonic() - start, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    inside = labels >= 0
    cells = [f"{compiled:.0f}", f"{seconds:.0f}", f"{busy:.0f}", f"{peak:.1f}"]
    cells += [
        labels.max() + 1,
        f"{inside.mean():.2f}",
        f"{ami(kinds, labels):.3f}",
        _rare(kinds, labels),
    ]
    print("ROW", *cells, sep="\t")


def _rare(kinds: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]) -> str:
    """Return how many of the rarer half of the kinds are most of some cluster."""
    sizes = np.bincount(kinds, minlength=KINDS)
    rare = np.argsort(sizes)[: KINDS // 2]
    majority = {int(np.bincount(kinds[labels == n]).argmax()) for n in set(labels) - {-1}}
    return f"{len(majority & set(rare.tolist()))} of {len(rare)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crops", type=int)
    parser.add_argument("--ours-only", action="store_true")
    parser.add_argument("--way", help="measure one way in an existing survey")
    parser.add_argument("--survey", type=Path)
    options = parser.parse_args()
    if options.way:
        measure(options.way, options.survey)
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        write_survey(Path(folder), options.crops)
        for way in (OURS,) if options.ours_only else (OURS, RIVAL):
            call = [sys.executable, __file__, str(options.crops), "--way", way, "--survey", folder]
            printed = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout
            print(printed)
            row = next(line for line in printed.splitlines() if line.startswith("ROW"))
            rows.append([options.crops, way, *row.split("\t")[1:]])
    record(
        "Clustering at scale",
        HEADER,
        rows,
        f"{DIM} numbers a vector, {KINDS} kinds of heavy-tailed size; seeds fixed, from the stored "
        "shards to the tables and the map. A rare kind is one of the rarer half; it is found where "
        "it is most of some cluster.",
    )


if __name__ == "__main__":
    main()
