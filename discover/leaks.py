"""Which images of a split show the same scene on both sides, proven pair by pair."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from discover.listed import frames_of
from discover.survey import Survey, SurveyError

_WORDS = {"True": "test", "False": "train"}  # of `split.csv` in a run of `classify train`
_PAIRS = """
    with shown as (
        select frame_a, frame_b, 'scene' as same, proof, inliers, overlap from pairs
        where proof >= ?
        union all
        select a.frame_id, b.frame_id, 'file', 1.0, null, 1.0
        from frames a join frames b on a.sha256 = b.sha256 and a.frame_id < b.frame_id
    )
    select s.*, a.dive as dive_a, b.dive as dive_b, a.path as path_a, b.path as path_b
    from shown s join frames a on a.frame_id = frame_a join frames b on b.frame_id = frame_b
"""


@dataclass(frozen=True)
class Leaks:
    """What a split lets through.

    Attributes:
        pairs: a row for each proven pair that is divided, the surest first: `image_a, image_b`
            (a is held out), `part_a, part_b, dive_a, dive_b`, `same` ("file": equal bytes, or
            "scene"), `proof` (probability), `inliers`, `overlap`, `path_a, path_b` (as in the
            frames table).
        held_out: images that are held out; in folds, each is once.
        leaking: how many of those show what an image that is trained on shows.
        unknown: images of the split that are no frames of the survey, so that nothing is known.
    """

    pairs: pd.DataFrame
    held_out: int
    leaking: int
    unknown: int

    @property
    def share(self) -> float:
        """Share of the held-out images that leak."""
        return self.leaking / max(self.held_out, 1)


def find_leaks(
    survey: Survey, split: Path, *, pairs: str | None = None, min_proof: float = 0.5
) -> Leaks:
    """Return the same-scene pairs that a split divides.

    Args:
        survey: the survey, with the pairs that `discover bursts` proved.
        split: table as `discover split` or `classify train` writes it: columns `image` (or `path`)
            and `split`, `fold` or `validation`.
        pairs: the run of pairs; None takes the latest.
        min_proof: probability from which on two frames count as one scene.

    Raises:
        SurveyError: there are no pairs, or the table is no split, names no frame, or names one that
            may be several.
    """
    run = survey.run("pairs", pairs)
    parts = _read_parts(survey, split)
    unknown = int(parts["frame_id"].isna().sum())
    if unknown == len(parts):
        raise SurveyError(
            f"SPLIT {split} names no frame of {survey.root}, such as {parts['image'].iloc[0]}"
        )
    of_frame = parts.dropna(subset=["frame_id"]).drop_duplicates("frame_id").set_index("frame_id")
    table = survey.sql(_PAIRS, [min_proof], pairs=survey.table("pairs", run.name))
    for side in "ab":
        table = table.join(of_frame.add_suffix(f"_{side}"), on=f"frame_{side}", how="inner")
    table = table[table["part_a"] != table["part_b"]]
    in_folds = "train" not in set(parts["part"])
    table = _held_out_first(table) if not in_folds else table
    leaking = set(table["frame_a"]) | (set(table["frame_b"]) if in_folds else set())
    held_out = len(of_frame) if in_folds else int((of_frame["part"] != "train").sum())
    columns = ["image_a", "image_b", "part_a", "part_b", "dive_a", "dive_b", "same", "proof",
               "inliers", "overlap", "path_a", "path_b"]  # fmt: skip
    ordered = table.sort_values(["proof", "inliers"], ascending=False, kind="stable")
    once = ordered.drop_duplicates(["image_a", "image_b"])[columns].reset_index(drop=True)
    return Leaks(once, held_out, len(leaking), unknown)


def leak_lines(leaks: Leaks) -> list[str]:
    """Return the result as lines for a person."""
    counted = f"{leaks.leaking} of {leaks.held_out} held-out images ({leaks.share:.1%})"
    if leaks.leaking:
        scenes = leaks.pairs.value_counts(["dive_a", "dive_b"]).rename("pairs").reset_index()
        lines = [
            f"this split leaks: {counted} show a scene that is trained on too, in "
            f"{len(leaks.pairs)} proven pairs"
        ]
        lines += [
            f"  {row['dive_a']} and {row['dive_b']}: {row['pairs']} pairs"
            for row in scenes.head(5).to_dict("records")
        ]
    else:
        lines = [f"no leak found: none of {leaks.held_out} held-out images shows a scene that is "
                 "trained on"]  # fmt: skip
    if leaks.unknown:
        lines.append(
            f"beware: {leaks.unknown} of the images are no frames of the survey: nothing is known "
            "of them"
        )
    return lines


def _read_parts(survey: Survey, split: Path) -> pd.DataFrame:
    """Return `image, part, frame_id` of a split; parts are "train" and "test", or folds."""
    from classify.data import read_csv

    try:
        is_csv = split.suffix.lower() == ".csv"
        table = read_csv(split) if is_csv else pd.read_parquet(split)
    except (OSError, ValueError) as error:
        raise SurveyError(f"SPLIT {split} cannot be read: {error}") from None
    image = next((c for c in ("image", "path") if c in table), None)
    part = next((c for c in ("split", "fold", "validation") if c in table), None)
    if image is None or part is None:
        raise SurveyError(
            f"SPLIT {split} needs the columns image and split or fold, as `discover split` writes "
            f"them; it has {', '.join(table.columns)}"
        )
    table = table.dropna(subset=[image, part])
    if table.empty:
        raise SurveyError(f"SPLIT {split} says of no image on which side it is")
    dives = table["dive"].where(table["dive"].notna(), None).tolist() if "dive" in table else None
    names = table[image].tolist()
    return pd.DataFrame(
        {
            "image": names,
            "part": table[part].astype(str).replace(_WORDS).to_numpy(),
            "frame_id": frames_of(survey, names, split.parent, dives),
        }
    )


def _held_out_first(table: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs turned so that b is trained on; pairs of two held-out parts are none."""
    turned = table.rename(
        columns=lambda c: f"{c[:-1]}{'ba'['ab'.index(c[-1])]}" if c[-2:] in ("_a", "_b") else c
    )
    both = pd.concat([table, turned])
    return both[(both["part_a"] != "train") & (both["part_b"] == "train")]
