"""What speaks for or against two frames showing one scene: a picture and a sentence."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from classify.images import Pixels, read_image, resize
from discover.scenes.background import Mask, fixed_parts
from discover.scenes.comparing import BurstConfig, still_counts
from discover.scenes.evidence import Evidence
from discover.scenes.looks import Look, Looks
from discover.scenes.matching import Matches, Proof, prove_with_matches
from discover.survey import Survey, SurveyError

_WIDTH = 640  # pixels of a frame in the picture
_SHOWN = 300  # inliers that are drawn, at most
_GREEN, _RED, _GREY = (60, 200, 90), (225, 70, 70), (150, 150, 150)


@dataclass(frozen=True)
class Explanation:
    """Why two frames count as one scene, or not.

    Attributes:
        proof: what was found.
        probability: of one scene.
        verdict: the same in words.
        picture: uint8 RGB [h, w, 3], both frames side by side: matched points that agree on the
            motion (green), that do not (red), what is fixed to the camera (darkened), and the
            outline of what the first frame shows of the second.
    """

    proof: Proof
    probability: float
    verdict: str
    picture: Pixels


def explain_pair(survey: Survey, frame_a: str, frame_b: str) -> Explanation:
    """Compare two frames as the latest finished run of bursts does.

    Args:
        survey: the survey, with bursts.
        frame_a: id, or the end of the path, of the first frame.
        frame_b: likewise of the second.

    Raises:
        SurveyError: there are no bursts yet, or a frame is unknown, ambiguous or unreadable.
    """
    run = survey.run("bursts")
    config = BurstConfig.from_dict(run.info["config"])
    frames = survey.frames.read(["frame_id", "path", "dive", "index"]).to_pandas()
    frames = frames.sort_values(["dive", "index", "frame_id"], kind="stable")
    looks = Looks(survey)
    looks.make()
    chosen = [_find(frames.to_dict("records"), name, looks) for name in (frame_a, frame_b)]
    readable = frames[[name in looks for name in frames["frame_id"]]]
    fixed = fixed_parts(looks.grey, readable["frame_id"].tolist(), readable["dive"].tolist())
    both = [looks.get(row["frame_id"]) for row in chosen]
    parts = [fixed[row["dive"]] for row in chosen]
    masks = [p.fitted(look.grey.shape) for p, look in zip(parts, both, strict=True)]
    counts = still_counts(chosen[0]["dive"] == chosen[1]["dive"], *parts)
    (a, b), (fixed_a, fixed_b) = both, masks
    proof, matches = prove_with_matches(a, b, fixed_a, fixed_b, still_counts=counts)
    evidence = Evidence.from_dict(run.info["evidence"])
    apart = abs(chosen[0]["index"] - chosen[1]["index"])
    near = chosen[0]["dive"] == chosen[1]["dive"] and apart <= config.window
    group = "in the window" if near and "in the window" in evidence.share else "alike"
    probability = float(evidence.probability(np.array([proof.score]), [group])[0])
    picture = draw(
        [read_image(survey.frame_path(row["path"]), min_side=_WIDTH).pixels for row in chosen],
        both, masks, proof, matches,
    )  # fmt: skip
    verdict = verdict_of(proof, matches, probability, config)
    return Explanation(proof, probability, verdict, picture)


def verdict_of(proof: Proof, matches: Matches, probability: float, config: BurstConfig) -> str:
    """Say in words what was found."""
    points = f"{len(matches.a)} points look alike"
    if proof.motion is None:
        return f"not one scene: {points}, and too few of them agree on one motion of the camera"
    shared = (proof.overlap + proof.overlap_back) / 2
    found = (
        f"{points}, {proof.inliers} of them agree on one motion, after which the textures "
        f"correlate by {proof.agreement:.2f}; the frames share {shared:.0%} of their picture: "
        f"probability of one scene {probability:.2f}"
    )
    if probability < config.proof:
        return f"not proven: {found}"
    if shared < config.overlap:
        return f"one scene, but less than {config.overlap:.0%} shared, so no burst: {found}"
    return f"one scene, and a burst: {found}"


def draw(
    pixels: list[Pixels], looks: list[Look], masks: list[Mask], proof: Proof, matches: Matches
) -> Pixels:
    """Draw the matched points of two frames side by side; see `Explanation.picture`."""
    scales = [_WIDTH / look.grey.shape[1] for look in looks]
    heights = [round(look.grey.shape[0] * s) for look, s in zip(looks, scales, strict=True)]
    canvas = np.full((max(heights), 2 * _WIDTH + 8, 3), 255, np.uint8)
    starts = (0, _WIDTH + 8)
    for frame, mask, height, left in zip(pixels, masks, heights, starts, strict=True):
        shown = resize(frame, _WIDTH, height).copy()
        fixed = cv2.resize(mask.astype(np.uint8), (_WIDTH, height)) > 0
        shown[fixed] //= 3
        canvas[:height, left : left + _WIDTH] = shown
    at_a = matches.a * scales[0]
    at_b = matches.b * scales[1] + np.array([starts[1], 0])
    for inlier, colour in ((False, _RED), (True, _GREEN)):
        rows = np.flatnonzero(matches.inlier == inlier)[:_SHOWN]
        for row in rows:
            ends = [tuple(int(v) for v in points[row]) for points in (at_a, at_b)]
            cv2.line(canvas, ends[0], ends[1], colour, 1, cv2.LINE_AA)
            for end in ends:
                cv2.circle(canvas, end, 3, colour, -1, cv2.LINE_AA)
    if proof.motion is not None:
        outline = _outline(looks, proof, scales[1]) + np.array([starts[1], 0])
        right = canvas[:, starts[1] :]
        shifted = (outline - np.array([starts[1], 0])).astype(np.int32)
        cv2.polylines(right, [shifted], True, (255, 220, 60), 2, cv2.LINE_AA)
    return canvas


def _outline(looks: list[Look], proof: Proof, scale: float) -> npt.NDArray[np.float64]:
    """Return the corners of the first frame where the motion brings them, in the picture."""
    height, width = looks[0].grey.shape
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], float)
    moved = corners @ np.asarray(proof.motion, float).T
    return np.asarray(moved[:, :2] / moved[:, 2:] * scale)


def _find(frames: list[dict[Any, Any]], name: str, looks: Looks) -> dict[Any, Any]:
    wanted = Path(name).as_posix()
    found = [r for r in frames if r["frame_id"] == name]
    found = found or [r for r in frames if f"/{r['path']}".endswith(f"/{wanted}")]
    if len(found) != 1:
        what = "names no frame" if not found else f"names {len(found)} frames"
        raise SurveyError(f"--explain {name} {what} of the survey: give an id or more of the path")
    if found[0]["frame_id"] not in looks:
        raise SurveyError(f"--explain {name}: the frame cannot be read")
    return found[0]
