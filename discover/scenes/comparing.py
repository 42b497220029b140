"""Comparing the frames of a survey: candidates, proofs, evidence, and groups that may be one."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from classify.ahead import made_ahead
from classify.runs import Config, RunError
from discover.scenes.background import FixedPart, fixed_parts
from discover.scenes.candidates import Pairs, Window, distinct, pairs_alike, pairs_in_window
from discover.scenes.evidence import fit_evidence
from discover.scenes.grouping import stars, to_compare
from discover.scenes.looks import Looks
from discover.scenes.matching import Proof, prove
from discover.scenes.proofs import Proofs
from discover.survey import Survey, SurveyError

Begin = Callable[[str], Callable[[int, int], None]]

_NULL = 1000  # pairs at random, at most, of which chance is learned
_NULL_A_FRAME = 5
_ROUNDS = 6  # of comparing groups that touch
_COLUMNS = ["frame_id", "path", "dive", "index", "time_utc", "video_frame", "sharpness",
            "brightness"]  # fmt: skip
_PAIR = ["inliers", "agreement", "overlap", "overlap_back", "score"]


@dataclass(frozen=True)
class BurstConfig(Config):
    """What is compared, and what is one burst.

    Attributes:
        window: frames ahead in the dive that a frame is compared with.
        window_s: seconds ahead instead, in dives whose frames all have times; None = frames.
        neighbours: frames of like looks, wherever they lie, that a frame is compared with.
        proof: probability of one scene from which on two frames are linked.
        overlap: share of each other's picture that frames of one burst show, at least.
    """

    window: int = 5
    window_s: float | None = None
    neighbours: int = 6
    proof: float = 0.5
    overlap: float = 0.5

    def __post_init__(self) -> None:
        if self.window < 0 or (self.window_s is not None and self.window_s < 0):
            raise RunError(f"--window {self.window_s or self.window} must be 0 or more")
        if self.neighbours < 0:
            raise RunError(f"--neighbours {self.neighbours} must be 0 or more")
        for name in ("proof", "overlap"):
            if not 0 < getattr(self, name) <= 1:
                raise RunError(f"--{name} {getattr(self, name)} must be above 0 and at most 1")


class Search:
    """Compares candidates, round by round, until no two groups that touch could be one.

    Attributes:
        frames: the frames that can be read, in order of dive and index.
        unreadable: how many cannot.
        compared: a row for each pair that was compared: `a, b` (row numbers), `group`, what `prove`
            found, and `proof`.
        null: scores of pairs at random.
        evidence: the mixture.
        centre: row number of the centre of each frame's group.
    """

    def __init__(self, survey: Survey, config: BurstConfig, begin: Begin) -> None:
        self.looks = Looks(survey)
        self.unreadable = self.looks.make(begin("reading"))
        frames = survey.frames.read(_COLUMNS).to_pandas()
        frames = frames[[name in self.looks for name in frames["frame_id"]]]
        if frames.empty:
            raise SurveyError(
                f"none of the {self.unreadable} frames of {survey.root} can be read: are the "
                "images still where they were added from?"
            )
        ordered = frames.sort_values(["dive", "index", "frame_id"], kind="stable")
        self.frames = ordered.reset_index(drop=True)
        self._config = config
        self._begin = begin
        self._ids = self.frames["frame_id"].tolist()
        self._dives = self.frames["dive"].tolist()
        self._fixed = fixed_parts(self.looks.grey, self._ids, self._dives)
        self._proofs = Proofs(survey.cache)
        self.centre = np.arange(len(self.frames))

    def links(self) -> pd.DataFrame:
        """Return the pairs of one burst: `a, b` and `proof`."""
        near, alike = self._candidates()
        self.null = self._compare(self._random_pairs(), "chance")["score"].to_numpy()
        groups = [("in the window", near), ("alike", alike)]
        tables = [self._compare(p, "comparing").assign(group=g) for g, p in groups if len(p)]
        empty = pd.DataFrame(columns=["a", "b", *_PAIR, "group"])
        self.compared = pd.concat(tables, ignore_index=True) if tables else empty
        self.evidence = fit_evidence(
            self.compared["score"].to_numpy(float), self.compared["group"].tolist(), self.null
        )
        self._judge()
        for _ in range(_ROUNDS):
            links = self._linked()
            self.centre = stars(links, self._worth())
            known = set(zip(self.compared["a"], self.compared["b"], strict=True))
            wanted = distinct(to_compare(links, self.centre))
            fresh = np.array([p for p in wanted.tolist() if tuple(p) not in known], np.int64)
            if not len(fresh):
                break
            more = self._compare(fresh, "joining").assign(group="in the window")
            self.compared = pd.concat([self.compared, more], ignore_index=True)
            self._judge()
        links = self._linked()
        self.centre = stars(links, self._worth())
        return links

    def pairs(self) -> pd.DataFrame:
        """Return the compared pairs that are proven, by the settings."""
        return self.compared[self.compared["proof"] >= self._config.proof]

    def _candidates(self) -> tuple[Pairs, Pairs]:
        config = self._config
        near = pairs_in_window(self.frames, Window(config.window, config.window_s))
        vectors = self.looks.vectors(self._ids)
        alike = pairs_alike(vectors, self._dives, config.neighbours)
        inside = set(map(tuple, near.tolist()))
        apart = [p for p in alike.tolist() if tuple(p) not in inside]
        return near, np.array(apart, np.int64).reshape(-1, 2)

    def _random_pairs(self) -> Pairs:
        """Pairs of different dives, which hardly ever show one scene; of one dive if need be."""
        count = len(self.frames)
        wanted = min(_NULL, _NULL_A_FRAME * count)
        drawn = np.random.default_rng(0).integers(0, count, (8 * wanted, 2))
        dive = self.frames["dive"].to_numpy()
        apart = dive[drawn[:, 0]] != dive[drawn[:, 1]]
        if apart.sum() < wanted:
            apart = np.abs(drawn[:, 0] - drawn[:, 1]) > max(self._config.window, count // 10)
        return distinct(drawn[apart][:wanted])

    def _compare(self, pairs: Pairs, what: str) -> pd.DataFrame:
        advance = self._begin(what)
        keys = [self._key(a, b) for a, b in pairs.tolist()]
        todo = [i for i, key in enumerate(keys) if key not in self._proofs]
        done = len(pairs) - len(todo)
        batch = made_ahead(self._prove, [pairs[i].tolist() for i in todo], batch=64)
        at = iter(todo)
        for proofs in batch:
            self._proofs.add({keys[next(at)]: proof for proof in proofs})
            done += len(proofs)
            advance(done, len(pairs))
        self._proofs.flush()
        rows = [self._proofs[key] for key in keys]
        table = pd.DataFrame(rows, columns=_PAIR, index=range(len(rows)))
        return table.assign(a=pairs[:, 0], b=pairs[:, 1])

    def _key(self, a: int, b: int) -> str:
        fixed = "".join(self._fixed[self._dives[row]].key for row in (a, b))
        return f"{self._ids[a]}{self._ids[b]}{fixed}"

    def _prove(self, pair: list[int]) -> Proof:
        a, b = pair
        return prove_frames(
            self.looks, self._fixed, (self._ids[a], self._dives[a]), (self._ids[b], self._dives[b])
        )

    def _judge(self) -> None:
        self.compared["proof"] = self.evidence.probability(
            self.compared["score"].to_numpy(float), self.compared["group"].tolist()
        )

    def _linked(self) -> pd.DataFrame:
        shared = self.compared[["overlap", "overlap_back"]].mean(axis=1)
        return self.pairs()[shared[self.pairs().index] >= self._config.overlap]

    def _worth(self) -> list[float]:
        return self.frames["sharpness"].fillna(0.0).tolist()


def prove_frames(
    looks: Looks, fixed: dict[str, FixedPart], a: tuple[str, str], b: tuple[str, str]
) -> Proof:
    """Compare two frames, each given by its id and its dive."""
    look_a, look_b = looks.get(a[0]), looks.get(b[0])
    part_a, part_b = fixed[a[1]], fixed[b[1]]
    return prove(
        look_a,
        look_b,
        part_a.fitted(look_a.grey.shape),
        part_b.fitted(look_b.grey.shape),
        still_counts=still_counts(a[1] == b[1], part_a, part_b),
    )


def still_counts(one_dive: bool, a: FixedPart, b: FixedPart) -> bool:
    """Whether what stands at one place of two frames is evidence, or may be the vehicle."""
    return one_dive or (a.known and b.known)
