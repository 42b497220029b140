"""From the score of a pair to the probability that it shows one scene, learned from the survey."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from classify.runs import Config

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Values = npt.NDArray[np.float64]

# What scores of pairs of one scene are where a survey has few: log of the score, as on TrashCan.
_USUAL_MEAN, _USUAL_SPREAD = np.log(0.5), 0.6
_USUAL_WEIGHT = 10.0  # pairs that this counts as
_LEAST_SCALE = 0.02  # of chance, which few null pairs may show little of
_LEAST_FOUND = 0.05  # likewise
_ROUNDS = 200


@dataclass(frozen=True)
class Evidence(Config):
    """A mixture of two components: pairs of unlike scenes, and pairs of one scene.

    The first is a Gumbel distribution, the law of the best of many tries, fitted to pairs that are
    surely of two scenes; the second is log-normal, and fitted by EM together with how common it is
    among each group of candidates (the two-groups model, Efron 2008, doi 10.1214/07-STS236).

    Attributes:
        chance: location and scale of the Gumbel distribution.
        found: share of the null pairs for which a motion is found at all.
        mean: of the log score of pairs of one scene.
        spread: its standard deviation.
        share: share of pairs of one scene, by group of candidates.
    """

    chance: tuple[float, float]
    found: float
    mean: float
    spread: float
    share: dict[str, float]

    def probability(self, scores: Values, groups: list[str]) -> Values:
        """Return the probability of one scene, float64 [n]; it never falls as the score rises.

        Args:
            scores: float64 [n], `Proof.score`.
            groups: the group of candidates that each pair is of.
        """
        result = np.zeros(len(scores))
        names = np.array(groups, dtype=object)
        for group, share in self.share.items():
            rows = np.flatnonzero(names == group)
            grid = np.linspace(0, max(scores[rows].max(initial=0), 0.01), 2000)
            rising = np.maximum.accumulate(
                np.where(grid > self.chance[0], self._of(grid, share), 0)
            )
            result[rows] = np.interp(scores[rows], grid, rising)
        return result

    def _of(self, scores: Values, share: float) -> Values:
        same = share * self.density_same(scores)
        other = (1 - share) * self.density_other(scores)
        return np.asarray(same / np.maximum(same + other, 1e-300))

    def density_same(self, scores: Values) -> Values:
        """Return the density of scores of pairs of one scene."""
        from scipy.stats import lognorm

        return np.asarray(lognorm.pdf(scores, self.spread, scale=np.exp(self.mean)))

    def density_other(self, scores: Values) -> Values:
        """Return the density of scores above 0 of pairs of two scenes."""
        from scipy.stats import gumbel_r

        return np.asarray(self.found * gumbel_r.pdf(scores, *self.chance))


def fit_evidence(scores: Values, groups: list[str], null: Values) -> Evidence:
    """Fit the mixture.

    Args:
        scores: float64 [n], of the candidates.
        groups: the group of each: candidates of one group are alike in how common one scene is.
        null: float64 [m], of pairs that are of two scenes but for rare exceptions.
    """
    positive = null[null > 0]
    middle, high = np.quantile(positive, [0.5, 0.9]) if len(positive) else (0.0, 0.0)
    scale = max(_LEAST_SCALE, (high - middle) / 1.884)  # between these quantiles of a Gumbel
    chance = (float(middle + np.log(np.log(2)) * scale), float(scale))
    found = float(np.clip((null > 0).mean() if len(null) else 1.0, _LEAST_FOUND, 1.0))
    names = np.array(groups, dtype=object)
    share = dict.fromkeys(sorted(set(groups)), 0.1)
    fitted = Evidence(chance, found, float(_USUAL_MEAN), _USUAL_SPREAD, share)
    log_scores = np.log(np.maximum(scores, 1e-6))
    for _ in range(_ROUNDS):
        weight = fitted.probability(scores, groups)
        total = weight.sum() + _USUAL_WEIGHT
        mean = ((weight * log_scores).sum() + _USUAL_WEIGHT * _USUAL_MEAN) / total
        squares = (weight * (log_scores - mean) ** 2).sum()
        spread = np.sqrt((squares + _USUAL_WEIGHT * _USUAL_SPREAD**2) / total)
        of_group = {g: (weight[names == g].sum() + 0.5) / ((names == g).sum() + 10) for g in share}
        before, share = fitted.share, {g: float(v) for g, v in of_group.items()}
        fitted = Evidence(chance, found, float(mean), float(spread), share)
        if max((abs(share[g] - before[g]) for g in share), default=0) < 1e-6:
            break
    return fitted


def evidence_figure(candidates: pd.DataFrame, null: Values, fitted: Evidence) -> "Figure":
    """Draw the scores, both components, and the probability that follows.

    Args:
        candidates: columns `score, group, proof`.
        null: scores of pairs of two scenes.
        fitted: the mixture.
    """
    import plotly.graph_objects as go

    top = float(max(candidates["score"].max(), 0.2)) if len(candidates) else 0.2
    grid = np.linspace(0.002, top, 400)
    figure = go.Figure()
    bins = {"start": 0.0, "end": top, "size": top / 100}
    shown = {"candidates": candidates["score"], "two scenes at random": null}
    for (name, values), colour in zip(shown.items(), ("#4477aa", "#bbbbbb"), strict=True):
        positive = np.asarray(values)[np.asarray(values) > 0]
        figure.add_histogram(x=positive, xbins=bins, name=name, marker_color=colour, opacity=0.6)
    share = float(candidates["proof"].mean()) if len(candidates) else 0.0
    count = len(candidates) * bins["size"]
    for name, density, colour in (
        ("one scene, fitted", share * fitted.density_same(grid), "#228833"),
        ("two scenes, fitted", (1 - share) * fitted.density_other(grid), "#ee6677"),
    ):
        figure.add_scatter(x=grid, y=count * density, name=name, line_color=colour)
    for group, dash in zip(fitted.share, ("solid", "dash", "dot"), strict=False):
        proof = fitted.probability(grid, [group] * len(grid))
        line = {"color": "#222222", "dash": dash}
        figure.add_scatter(x=grid, y=proof, yaxis="y2", name=f"probability, {group}", line=line)
    figure.update_layout(
        template="plotly_white",
        barmode="overlay",
        title="Proof of one scene, as learned from this survey",
        xaxis_title="score: how far the textures agree after the motion that was found",
        yaxis={"title": "pairs", "type": "log", "dtick": 1, "range": [-0.3, 4]},
        yaxis2={
            "title": "probability",
            "overlaying": "y",
            "side": "right",
            "range": [0, 1.02],
            "tickvals": [0, 0.25, 0.5, 0.75, 1],
            "showgrid": False,
        },
        legend={"x": 1.08, "y": 1},
    )
    return figure
