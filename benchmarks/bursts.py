"""Near-duplicates by `discover bursts` and by its peers, against the cameras of rendered surveys.

Two kinds of survey: the demo as it is, and the same tracks sampled three times as often, so that
every level of overlap is common. Truth is the share of picture that two frames have in common. At
each level the positives are its pairs, the negatives all pairs that share nothing. Peers are given
the threshold that is best on this very set and level; `discover bursts` takes its own. Then real
footage, and the cost.

    pip install -e '.[bench]' && python benchmarks/bursts.py [--seeds 2] [--work FOLDER]
"""

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import cv2
import imagehash
import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image
from record import record
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import squareform

from discover.bursts import BurstConfig, find_bursts
from discover.demo.camera import Pose
from discover.demo.layout import Dive, Layout
from discover.demo.overlap import true_overlaps
from discover.demo.render import DiveRenderer
from discover.demo.survey import render_survey
from discover.frames import add_frames
from discover.scenes.candidates import centred, pairs_alike
from discover.scenes.looks import DIM, Looks
from discover.sheet import save_sheet
from discover.survey import Survey, open_survey

DIVES, FRAMES, SIZE = 8, 45, (540, 960)
LEVELS = {"> 75 %": (0.75, 1.01), "50-75 %": (0.5, 0.75), "25-50 %": (0.25, 0.5)}
FOLD = 3  # times as many frames on the slow survey's track
DATA = Path(__file__).parents[2] / "shared" / "data"

Matrix = npt.NDArray[np.float64]


def slowed(dive: Dive) -> Dive:
    """Return the dive with frames in between, of which the first ones are kept."""
    poses = np.array([dataclasses.astuple(pose) for pose in dive.poses])
    at = np.arange(FRAMES) / FOLD
    between = [np.interp(at, np.arange(len(poses)), column) for column in poses.T]
    paused = tuple(dive.paused[min(int(np.ceil(step)), len(poses) - 1)] for step in at)
    slow = tuple(Pose(*map(float, row)) for row in zip(*between, strict=True))
    return dataclasses.replace(dive, poses=slow, paused=paused)


def render_slow(out: Path, seed: int) -> Path:
    if (out / "truth.parquet").exists():
        return out
    rows = []
    for dive in map(slowed, Layout.plan(seed, DIVES, FRAMES // FOLD + 1, SIZE).dives):
        renderer = DiveRenderer(dive)
        (out / dive.name).mkdir(parents=True, exist_ok=True)
        for index in range(FRAMES):
            frame, truth = renderer.frame(index)
            quality = [cv2.IMWRITE_JPEG_QUALITY, dive.quality]
            cv2.imwrite(str(out / truth[0]["path"]), frame[..., ::-1], quality)
            rows += truth
    pd.DataFrame(rows).to_parquet(out / "truth.parquet")
    return out


def hashed(method: str, paths: list[Path]) -> Matrix:
    """Likeness by imagededup's 64-bit hashes: minus the bits that differ."""
    from imagededup import methods

    hasher = getattr(methods, method)(verbose=False)
    codes = [hasher.encode_image(image_file=str(path)) for path in paths]
    bits = np.array([[int(b) for b in f"{int(code, 16):064b}"] for code in codes])
    return -(bits[:, None] != bits[None]).sum(axis=2).astype(float)


def cnn(paths: list[Path]) -> Matrix:
    """Likeness by imagededup's CNN method with the bundled network, as no weights are fetched."""
    import torch
    from imagededup.methods import CNN
    from imagededup.utils import CustomModel
    from torchvision import transforms

    from classify.backbones import BUNDLED, load_backbone, normalisation

    network = load_backbone(BUNDLED, "bundled")
    steps = [transforms.Resize((224, 224)), transforms.ToTensor()]
    steps.append(transforms.Normalize(*normalisation(network)))
    model = CustomModel(name="lite0", model=network, transform=transforms.Compose(steps))
    encoder = CNN(verbose=False, model_config=model)
    with torch.inference_mode():
        rows = [np.ravel(encoder.encode_image(image_file=str(path))) for path in paths]
    unit = np.array(rows) / np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(unit @ unit.T, float)


def cleanvision(paths: list[Path]) -> Matrix:
    """Likeness by CleanVision: the longest hash for which two frames are in one set."""
    from cleanvision import Imagelab

    best = np.zeros((len(paths), len(paths)))
    row = {str(path.resolve()): n for n, path in enumerate(paths)}
    for size in (2, 3, 4, 6, 8):
        lab = Imagelab(filepaths=list(row), verbose=False)
        lab.find_issues({"near_duplicates": {"hash_size": size}}, n_jobs=1, verbose=False)
        for group in lab.info["near_duplicates"]["sets"]:
            for a, b in combinations([row[str(Path(p).resolve())] for p in group], 2):
                best[a, b] = best[b, a] = size
    return best


def dhash_union(paths: list[Path]) -> Matrix:
    """Likeness by dHash-256 and union-find: minus the longest step on the best chain."""
    codes = np.array([imagehash.dhash(Image.open(p), hash_size=16).hash.ravel() for p in paths])
    apart = (codes[:, None] != codes[None]).sum(axis=2).astype(float)
    return -squareform(cophenet(linkage(squareform(apart, checks=False), "single")))


def features(survey: Survey, ids: list[str], dives: list[str]) -> Matrix:
    """Likeness by the spatial features that also give the candidates, centred by dive."""
    looks = Looks(survey)
    looks.make()
    unit = centred(looks.vectors(ids), dives)
    return np.asarray(unit @ unit.T, float)


def ours(survey: Survey, ids: list[str]) -> tuple[Matrix, Matrix]:
    """Return the proof of each pair by the automatic setting, and what it says they share."""
    run = find_bursts(survey)
    pairs = survey.table("pairs", run.name).read().to_pandas()
    row = {frame: n for n, frame in enumerate(ids)}
    proof, shared = np.zeros((2, len(ids), len(ids)))
    for a, b, p, there, back in pairs[
        ["frame_a", "frame_b", "proof", "overlap", "overlap_back"]
    ].itertuples(index=False):
        for i, j in ((row[a], row[b]), (row[b], row[a])):
            proof[i, j], shared[i, j] = p, (there + back) / 2
    return proof, shared


def best_f1(likeness: Matrix, positive: npt.NDArray[np.bool_]) -> float:
    """F1 at the threshold that is best here."""
    order = np.argsort(-likeness, kind="stable")
    hits = np.cumsum(positive[order])
    ends = np.append(np.flatnonzero(np.diff(likeness[order])), len(order) - 1)  # ties go together
    return float((2 * hits[ends] / (ends + 1 + positive.sum())).max())


def f1(predicted: npt.NDArray[np.bool_], positive: npt.NDArray[np.bool_]) -> float:
    return float(2 * (predicted & positive).sum() / (predicted.sum() + positive.sum()))


def score_survey(footage: Path) -> dict[str, dict[str, float]]:
    """Return F1 by method and level, and of one scene (at least half shared; 25-50 % ignored)."""
    survey = open_survey(footage.parent / f"{footage.name}-survey", create=True)
    add_frames(survey, [footage])
    frames = survey.frames.read(["frame_id", "path", "dive"]).to_pandas()
    paths = [survey.frame_path(path) for path in frames["path"]]
    place = {f"{p.parent.name}/{p.name}": n for n, p in enumerate(paths)}
    true = np.zeros((len(paths), len(paths)))
    for a, b, share in true_overlaps(pd.read_parquet(footage / "truth.parquet"), SIZE).itertuples(
        index=False
    ):
        true[place[a], place[b]] = true[place[b], place[a]] = share
    ids, dives = frames["frame_id"].tolist(), frames["dive"].tolist()
    proof, shared = ours(survey, ids)
    peers: dict[str, Callable[[], Matrix]] = {
        "imagededup PHash": lambda: hashed("PHash", paths),
        "imagededup DHash": lambda: hashed("DHash", paths),
        "imagededup CNN": lambda: cnn(paths),
        "CleanVision": lambda: cleanvision(paths),
        "dHash-256, union-find": lambda: dhash_union(paths),
        "cosine of CNN features, dive mean off": lambda: features(survey, ids, dives),
    }
    upper = np.triu_indices(len(paths), 1)
    truth = true[upper]
    clear = (truth >= 0.5) | (truth < 0.25)
    sets = {name: (truth >= low) & (truth < high) for name, (low, high) in LEVELS.items()}
    scores = {}
    for name, make in peers.items():
        likeness = make()[upper]
        scores[name] = {"one scene": best_f1(likeness[clear], truth[clear] >= 0.5)}
        for level, positive in sets.items():
            used = positive | (truth == 0)
            scores[name][level] = best_f1(likeness[used], positive[used])
    found = proof[upper] >= 0.5
    linked = found & (shared[upper] >= 0.5)
    scores["discover bursts"] = {"one scene": f1(linked[clear], truth[clear] >= 0.5)}
    for level, positive in sets.items():
        used = positive | (truth == 0)
        scores["discover bursts"][level] = f1(found[used], positive[used])
    counts = {level: float(positive.sum()) for level, positive in sets.items()}
    return {**scores, "pairs": {"one scene": float((truth >= 0.5).sum()), **counts}}


def rendered(work: Path, seeds: int) -> list[list[object]]:
    """Rows of F1, mean over the seeds and range."""
    kinds = {
        "demo": lambda seed: render_survey(
            work / f"demo{seed}", seed=seed, dives=DIVES, frames_per_dive=FRAMES, size=SIZE
        ),
        "slow": lambda seed: render_slow(work / f"slow{seed}", seed),
    }
    rows: list[list[object]] = []
    for kind, render in kinds.items():
        scored = [score_survey(render(seed)) for seed in range(seeds)]
        for method in scored[0]:
            cells = []
            for column in ("one scene", *LEVELS):
                values = [of_seed[method][column] for of_seed in scored]
                if method == "pairs":
                    cells.append(", ".join(f"{v:.0f}" for v in values))
                else:
                    spread = f" ({min(values):.2f}-{max(values):.2f})" if seeds > 1 else ""
                    cells.append(f"{np.mean(values):.3f}{spread}")
            rows.append([kind, method, *cells])
    return rows


def real(work: Path) -> list[list[object]]:
    """Rows on TrashCan and RUIE; contact sheets of what joins two videos go to `work`."""
    rows: list[list[object]] = []
    table = pd.read_csv(DATA / "trashcan" / "frames.csv", dtype={"video": str})
    listed = work / "dives.csv"
    table.rename(columns={"video": "dive"})[["image", "dive"]].to_csv(listed, index=False)
    for name, folder, rule in (
        ("TrashCan", DATA / "trashcan" / "images", str(listed)),
        ("RUIE", DATA / "ruie", "folder"),
    ):
        survey = open_survey(work / name, create=True)
        add_frames(survey, [folder], dive_from=rule)
        begun = time.perf_counter()
        Looks(survey).make()
        read = time.perf_counter()
        run = find_bursts(survey)
        seconds = time.perf_counter() - read
        counts, frames = run.info["counts"], survey.frames.read().to_pandas()
        pairs = survey.table("pairs", run.name).read().to_pandas()
        speed = f"{len(frames) / (read - begun):.0f} read, {len(frames) / seconds:.0f} compared"
        gaps = _recall_by_gap(frames, pairs, table) if name == "TrashCan" else "no order known"
        inside = f"{counts['in_bursts']} of {counts['frames']}"
        across = f"{counts['pairs_across_dives']} pairs, {counts['bursts_across_dives']} bursts"
        rows.append([name, gaps, inside, across, speed])
        _sheet(survey, frames, pairs, work / f"{name}-pairs.jpg", across=name == "TrashCan")
    return rows


def _recall_by_gap(frames: pd.DataFrame, pairs: pd.DataFrame, table: pd.DataFrame) -> str:
    number = table.set_index("image")["frame"]
    frames = frames.assign(number=frames["path"].map(lambda p: int(number[Path(p).name])))
    ordered = frames.sort_values(["dive", "number"])
    proven = {frozenset(p) for p in zip(pairs["frame_a"], pairs["frame_b"], strict=True)}
    ids, dives, numbers = (ordered[c].tolist() for c in ("frame_id", "dive", "number"))
    found = [
        frozenset(ids[i : i + 2]) in proven
        for i in range(len(ids) - 1)
        if dives[i] == dives[i + 1] and numbers[i + 1] - numbers[i] == 1
    ]
    return f"{np.mean(found):.3f} of {len(found)}"


def _sheet(
    survey: Survey, frames: pd.DataFrame, pairs: pd.DataFrame, out: Path, *, across: bool
) -> None:
    of = frames.set_index("frame_id")
    if across:
        dive_a, dive_b = (of["dive"][pairs[c]].to_numpy() for c in ("frame_a", "frame_b"))
        pairs = pairs[dive_a != dive_b]
    shown = [
        [
            (survey.frame_path(of["path"][row[f"frame_{side}"]]), f"{row['inliers']} points")
            for side in "ab"
        ]
        for row in pairs.sort_values("inliers").head(40).to_dict("records")
    ]
    if shown:
        save_sheet(shown, out)


def mirrored(work: Path) -> list[list[object]]:
    """Rows of what is proven between real frames and mirror images, which no camera can have seen.

    RUIE holds frames of one scene after all; its mirror images tell how much is proven by chance.
    """
    folder = work / "RUIE-and-mirror"
    for path in sorted((DATA / "ruie").glob("*.jpg")):
        frame = cv2.imread(str(path))
        for dive, picture in (("as it is", frame), ("mirrored", frame[:, ::-1])):
            out = folder / dive / path.name
            out.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(out), picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
    survey = open_survey(work / "mirror-survey", create=True)
    add_frames(survey, [folder])
    rows: list[list[object]] = []
    for proof, overlap in ((0.5, 0.5), (0.9, 0.5), (0.99, 0.5), (0.5, 0.7), (0.5, 0.9)):
        counts = find_bursts(survey, BurstConfig(proof=proof, overlap=overlap)).info["counts"]
        share = f"{counts['in_bursts'] / counts['frames']:.1%}"
        across = f"{counts['pairs_across_dives']} of {counts['compared']}"
        rows.append([proof, overlap, share, counts["pairs"], across])
    return rows


def search_cost(counts: tuple[int, ...] = (25_000, 50_000, 100_000)) -> list[list[object]]:
    """Rows of the seconds that the search across dives takes, on vectors in loose groups."""
    rng = np.random.default_rng(0)
    rows: list[list[object]] = []
    for count in counts:
        middles = rng.standard_normal((count // 10, DIM), np.float32)
        vectors = middles[rng.integers(0, len(middles), count)]
        vectors = vectors + 0.5 * rng.standard_normal((count, DIM), np.float32)
        dives = [str(n) for n in rng.integers(0, 100, count)]
        begun = time.perf_counter()
        pairs = pairs_alike(vectors, dives, 6)
        rows.append([count, f"{time.perf_counter() - begun:.0f}", len(pairs)])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--work", type=Path, help="keeps what was rendered and found")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        record(
            "Bursts: F1 of pairs of frames that show one scene",
            ["survey", "method", "one scene", *LEVELS],
            rendered(work, options.seeds),
            f"{DIVES} dives of {FRAMES} frames, {options.seeds} seeds, mean (range). 'One scene': "
            "at least half of the picture shared, against less than a quarter. By level: against "
            "pairs that share nothing. Peers: best threshold on this very set; `discover bursts`: "
            "its own. imagededup CNN with EfficientNet-Lite0.",
        )
        if DATA.is_dir():
            record(
                "Bursts on real footage",
                ["data", "recall, one frame on", "frames in bursts", "across dives", "frames/s"],
                real(work),
                "TrashCan: frames of one video numbered one apart, whether or not they truly share "
                "anything. RUIE holds no order and one folder.",
            )
            record(
                "Bursts: RUIE beside its mirror image",
                ["--proof", "--overlap", "frames in bursts", "pairs", "of a frame and a mirror"],
                mirrored(work),
                "A pair of a frame and a mirror image is proven by chance alone.",
            )
        record(
            "Bursts: search across dives",
            ["frames", "seconds", "pairs"],
            search_cost(),
            f"Random vectors of {DIM} numbers in loose groups of ten, 6 neighbours each.",
        )


if __name__ == "__main__":
    main()
