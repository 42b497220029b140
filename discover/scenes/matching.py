"""Proof that two frames show the same scene: matched points, one motion, agreeing texture."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from discover.scenes.background import Mask
from discover.scenes.looks import SIDE, Floats, Look

Motion = npt.NDArray[np.floating]

VERSION = 1  # of the proof: another is made anew
_RATIO = 0.85  # of the best distance to the second best (Lowe 2004)
_TOLERANCE = 2.0  # pixels, of RANSAC
_FEWEST = 7  # inliers; chance alone finds a homography through 4 to 6 points
_STILL = 0.02 * SIDE  # pixels: less motion than this is none
_LEAST_SEEN = 0.02  # of the picture, on which texture can be compared
_SHRINKS = 10.0  # times, at most, that a scene changes its area
_BLOCK = 20  # pixels at half size, within which textures are correlated
_LEAST_BLOCK = 0.3  # of a block that must be seen
_GRID = 16  # places across and down that overlap is measured at


@dataclass(frozen=True)
class Matches:
    """Points of two frames that look alike.

    Attributes:
        a: float32 [n, 2], column and row in the first frame's small picture.
        b: float32 [n, 2], likewise.
        inlier: bool [n], whether they agree on `Proof.motion`.
    """

    a: Floats
    b: Floats
    inlier: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Proof:
    """What speaks for two frames showing the same scene.

    Attributes:
        inliers: matched points that agree on one motion.
        agreement: correlation of the textures where the frames overlap after that motion, -1 to 1;
            the median over blocks.
        overlap: share of the first frame's picture that the second shows, 0 to 1.
        overlap_back: share of the second frame's picture that the first shows.
        score: Fisher's z of `agreement`, by the root of the share compared: its spread under chance
            is the same whatever the overlap. 0 where no motion was found.
        motion: float64 [3, 3], from the first frame's small picture to the second's; None likewise.
    """

    inliers: int = 0
    agreement: float = 0.0
    overlap: float = 0.0
    overlap_back: float = 0.0
    score: float = 0.0
    motion: Motion | None = None


def prove(a: Look, b: Look, fixed_a: Mask, fixed_b: Mask, *, still_counts: bool = True) -> Proof:
    """Find the motion from frame `a` to frame `b`, and how well it explains the texture.

    Points by RootSIFT with ratio test and cross check give a homography by MAGSAC++ (Barath et al.
    2020). Chance gives one from few points too; the texture, which took no part in it, decides.

    Args:
        a: the first frame.
        b: the second.
        fixed_a: bool [h, w], the part of `a` that is fixed to the camera and proves nothing.
        fixed_b: likewise of `b`.
        still_counts: whether a scene at the same place of both pictures is evidence. It is none
            where it may be a vehicle that nobody knows of.
    """
    proof, _ = prove_with_matches(a, b, fixed_a, fixed_b, still_counts=still_counts)
    return proof


def prove_with_matches(
    a: Look, b: Look, fixed_a: Mask, fixed_b: Mask, *, still_counts: bool = True
) -> tuple[Proof, Matches]:
    """Do what `prove` does, and return the matched points too."""
    at_a, at_b = match(a, b, fixed_a, fixed_b)
    if not still_counts:
        moved = np.linalg.norm(at_a - at_b, axis=1) > _STILL
        at_a, at_b = at_a[moved], at_b[moved]
    motion, inlier = _homography(at_a, at_b)
    if motion is None or not (still_counts or _moves(motion, a.flat.shape)):
        return Proof(), Matches(at_a, at_b, np.zeros(len(at_a), bool))
    proof = _judge(a, b, fixed_a, fixed_b, motion, int(inlier.sum()))
    return proof, Matches(at_a, at_b, inlier)


def match(a: Look, b: Look, fixed_a: Mask, fixed_b: Mask) -> tuple[Floats, Floats]:
    """Return the points, float32 [n, 2] each, whose descriptors are each other's clear nearest."""
    free_a, free_b = _free(a, fixed_a), _free(b, fixed_b)
    if len(free_a) < 2 or len(free_b) < 2:
        nothing = np.zeros((0, 2), np.float32)
        return nothing, nothing
    likeness = a.descriptors[free_a] @ b.descriptors[free_b].T
    rows = np.arange(len(likeness))
    nearest, back = likeness.argmax(axis=1), likeness.argmax(axis=0)
    best = likeness[rows, nearest]
    likeness[rows, nearest] = -1
    distance, second = 1 - best, 1 - likeness.max(axis=1)
    clear = (distance < _RATIO**2 * second) & (back[nearest] == rows)
    return a.points[free_a[clear]], b.points[free_b[nearest[clear]]]


def overlap_of(motion: Motion, shape_a: tuple[int, ...], shape_b: tuple[int, ...]) -> float:
    """Return the share of picture a (of shape h, w) that lies in picture b after the motion."""
    y, x = (np.arange(_GRID) + 0.5) / _GRID * np.array(shape_a[:2])[:, None]
    points = np.stack([*np.meshgrid(x, y), np.ones((_GRID, _GRID))]).reshape(3, -1)
    column, row, depth = motion @ points
    inside = (depth > 1e-6) & (column >= 0) & (row >= 0)
    inside &= (column < shape_b[1] * depth) & (row < shape_b[0] * depth)
    return float(inside.mean())


def _free(look: Look, fixed: Mask) -> npt.NDArray[np.int64]:
    """Return the numbers of the points that do not lie on the fixed part."""
    if not len(look.points):
        return np.zeros(0, np.int64)
    column, row = look.points.astype(int).T
    inside = fixed[row.clip(0, fixed.shape[0] - 1), column.clip(0, fixed.shape[1] - 1)]
    return np.flatnonzero(~inside)


def _homography(a: Floats, b: Floats) -> tuple[Motion | None, npt.NDArray[np.bool_]]:
    nothing = np.zeros(len(a), bool)
    if len(a) < _FEWEST:
        return None, nothing
    try:
        motion, inlier = cv2.findHomography(a, b, cv2.USAC_MAGSAC, _TOLERANCE, maxIters=2000)
    except cv2.error:  # points on one line
        return None, nothing
    if motion is None or inlier.sum() < _FEWEST or not _plausible(motion):
        return None, nothing
    return motion, inlier.ravel() > 0


def _plausible(motion: Motion) -> bool:
    """Whether a camera can have moved so: nothing behind it, not mirrored, no wild zoom."""
    if not np.isfinite(motion).all():
        return False
    corners = np.array([[0, 0, 1], [SIDE, 0, 1], [SIDE, SIDE, 1], [0, SIDE, 1]], float) @ motion.T
    if (corners[:, 2] <= 1e-6).any():
        return False
    moved = (corners[:, :2] / corners[:, 2:]).astype(np.float32)
    area = cv2.contourArea(moved, oriented=True) / SIDE**2
    return bool(cv2.isContourConvex(moved)) and 1 / _SHRINKS < area < _SHRINKS


def _moves(motion: Motion, shape: tuple[int, ...]) -> bool:
    """Whether the picture's middle or corners move, on the whole."""
    y, x = np.meshgrid(np.array([0, 0.5, 1]) * shape[0], np.array([0, 0.5, 1]) * shape[1])
    points = np.stack([x.ravel(), y.ravel(), np.ones(9)])
    moved = motion @ points
    return bool(np.median(np.linalg.norm(moved[:2] / moved[2] - points[:2], axis=0)) > _STILL)


def _judge(a: Look, b: Look, fixed_a: Mask, fixed_b: Mask, motion: Motion, inliers: int) -> Proof:
    """Correlate the textures where they overlap, but for the fixed parts, at half size."""
    half = np.diag([0.5, 0.5, 1.0])
    small = [cv2.resize(p.flat, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for p in (a, b)]
    size = small[1].shape[::-1]
    moved = half @ motion @ np.linalg.inv(half)
    free = [
        cv2.resize((~f).astype(np.uint8), s.shape[::-1], interpolation=cv2.INTER_NEAREST)
        for f, s in zip((fixed_a, fixed_b), small, strict=True)
    ]
    seen = cv2.warpPerspective(free[0], moved, size, flags=cv2.INTER_NEAREST) & free[1] > 0
    share = float(seen.mean())
    if share < _LEAST_SEEN:
        return Proof()
    agreement = _median_correlation(cv2.warpPerspective(small[0], moved, size), small[1], seen)
    score = max(0.0, float(np.arctanh(min(agreement, 0.999)) * share**0.5))
    overlap = overlap_of(motion, a.flat.shape, b.flat.shape)
    back = overlap_of(np.linalg.inv(motion), b.flat.shape, a.flat.shape)
    return Proof(inliers, agreement, overlap, back, score, motion)


def _median_correlation(a: Floats, b: Floats, seen: Mask) -> float:
    """Return the median over blocks of the correlation of two pictures where they are seen.

    A median, since an arm that moves with the vehicle agrees well, and in a few blocks only.
    """
    across = (a.shape[1] // _BLOCK, a.shape[0] // _BLOCK)
    weight = seen.astype(np.float32)

    def mean(values: Floats) -> Floats:
        return np.asarray(cv2.resize(values * weight, across, interpolation=cv2.INTER_AREA))

    share = mean(np.ones_like(weight))
    enough = share > _LEAST_BLOCK
    if not enough.any():
        return 0.0
    x, y, xx, yy, xy = (mean(v)[enough] / share[enough] for v in (a, b, a * a, b * b, a * b))
    spread = np.sqrt(np.maximum(xx - x * x, 1e-6) * np.maximum(yy - y * y, 1e-6))
    return float(np.median((xy - x * y) / spread))
