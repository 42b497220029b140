import copy
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from classify.backbones import load_backbone
from classify.head import (
    STRENGTHS,
    Features,
    Supervision,
    adapt_head,
    choose_strengths,
    fit_head,
    unseen_logits,
)
from classify.losses import masked_loss
from classify.model import Classifier, ModelConfig

Floats = npt.NDArray[np.float32]
BOTH = ModelConfig({"floor": ("sandy", "muddy"), "elements": ("fauna", "algae", "waste")})
ONE = ModelConfig({"elements": ("fauna", "waste")})
NAN = float("nan")


def _known(targets: npt.ArrayLike, *, held_out: int = 0, parts: int = 4) -> Supervision:
    """Take the last `held_out` rows for scores, the others in `parts` for training."""
    wanted = np.asarray(targets, np.float32)
    rows = np.arange(len(wanted))
    training, rest = np.split(rows, [len(rows) - held_out])
    return Supervision(
        wanted, np.ones_like(wanted), training, rest, np.array_split(training, parts)
    )


def _maps(averaged: npt.ArrayLike) -> npt.NDArray[np.float16]:
    return np.asarray(averaged, np.float16)[:, :, None, None]


def _separable(rows: int = 40, *, channels: int = 6) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(0)
    names = np.arange(rows) % 2
    averaged = rng.normal(0, 1, (rows, channels)).astype(np.float32)
    averaged[:, 2] = 4 * names - 2 + rng.normal(0, 0.3, rows)
    return averaged, np.eye(2, dtype=np.float32)[names]


def _head(
    features: Features, known: Supervision, config: ModelConfig, strength: float
) -> nn.Linear:
    head = nn.Linear(features.averaged.shape[1], len(config.classes))
    fit_head(head, features, known.training, known, config, dict.fromkeys(config.heads, strength))
    return head


@pytest.mark.parametrize("multilabel", [False, True])
def test_a_label_that_is_not_known_adds_nothing(multilabel: bool) -> None:
    config = replace(BOTH, multilabel=multilabel)
    logits = torch.randn(4, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    floor = torch.tensor([[1, 0], [0, 1], [NAN, NAN], [NAN, NAN]])
    elements = torch.tensor([[NAN] * 3, [NAN] * 3, [1, 0, 0], [0, 0, 1.0]])
    joined = masked_loss(logits, torch.cat([floor, elements], dim=1), config)
    alone = [
        masked_loss(logits[:2, :2], floor[:2], replace(config, heads={"floor": ("a", "b")})),
        masked_loss(logits[2:, 2:], elements[2:], replace(config, heads={"e": ("a", "b", "c")})),
    ]
    assert torch.isclose(joined, (alone[0] + alone[1]) / 2)  # half the images each
    joined.backward()
    assert logits.grad is not None
    assert (logits.grad[:2, 2:] == 0).all()
    assert (logits.grad[2:, :2] == 0).all()
    assert (logits.grad[:2, :2] != 0).all()


@pytest.mark.parametrize("multilabel", [False, True])
def test_an_image_of_weight_two_counts_as_two_images(multilabel: bool) -> None:
    config = replace(ONE, multilabel=multilabel)
    logits, targets = torch.tensor([[1.0, 0.0], [0.2, 0.4]]), torch.eye(2)
    weighted = masked_loss(logits, targets, config, torch.tensor([[2.0, 2.0], [1.0, 1.0]])) * 2
    twice = masked_loss(logits[[0, 0, 1]], targets[[0, 0, 1]], config) * 3
    assert torch.isclose(weighted, twice)


def test_nothing_known_is_no_loss() -> None:
    assert masked_loss(torch.zeros(2, 2), torch.full((2, 2), NAN), ONE) == 0


def test_the_head_tells_separable_classes_of_rows_it_has_not_seen() -> None:
    averaged, targets = _separable()
    known = _known(targets, held_out=12)
    head = _head(Features(_maps(averaged), "mean"), known, ONE, 0.01)
    with torch.no_grad():
        found = head(torch.from_numpy(averaged)).argmax(1).numpy()
    assert (found == targets.argmax(1)).all()


@pytest.mark.parametrize("strength", [1e-4, 1e-1])
def test_heads_of_any_strength_speak_equally_loud(strength: float) -> None:
    averaged, targets = _separable()
    head = _head(Features(_maps(averaged), "mean"), _known(targets), ONE, strength)
    with torch.no_grad():
        logits = head(torch.from_numpy(averaged))
    spread = logits - logits.mean(dim=1, keepdim=True)
    assert 0.9 < float(spread.std()) < 1.1


def test_a_stronger_penalty_gives_smaller_weights_on_positions() -> None:
    averaged, targets = _separable()
    known, config = _known(targets), replace(ONE, pool="topk", top=0.5)
    rng = np.random.default_rng(1)
    maps = (averaged[:, :, None, None] + rng.normal(0, 0.1, (40, 6, 2, 2))).astype(np.float16)
    sizes = [
        float(_head(Features(maps, "topk"), known, config, strength).weight.detach().norm())
        for strength in (1e-3, 1e-1, 10)
    ]
    assert sizes[0] > sizes[1] > sizes[2]


def test_the_strongest_positions_find_an_object_that_the_average_loses() -> None:
    rng = np.random.default_rng(0)
    names = np.arange(60) % 2
    maps = rng.normal(0, 0.5, (60, 3, 6, 6))
    for row in range(60):
        maps[row, 1] += rng.normal(0, 0.3)  # more than the object adds to the average
        if names[row]:
            maps[row, 1, *rng.integers(0, 6, 2)] += 5
    known = _known(np.eye(2)[names])
    right = {}
    for pool in ("mean", "topk"):
        config = replace(ONE, pool=pool, top=1 / 36)
        features = Features(maps.astype(np.float16), pool)
        unseen = unseen_logits(features, known, config, dict.fromkeys(config.heads, 1e-3))
        right[pool] = float((unseen.argmax(1) == names).mean())
    assert right["topk"] > 0.9
    assert right["mean"] < 0.85


def test_the_penalty_is_chosen_by_dives_of_which_nothing_was_seen() -> None:
    rng = np.random.default_rng(1)
    dives = np.repeat(np.arange(8), 8)
    mostly = dives % 2  # a dive shows one class mostly, so that its look predicts the class there
    names = np.where(np.arange(64) % 8 < 2, 1 - mostly, mostly)
    of_class = (2 * names - 1 + rng.normal(0, 1, 64))[:, None]
    of_dive = rng.normal(0, 1, (8, 30))[dives] + rng.normal(0, 0.05, (64, 30))
    features = Features(_maps(np.hstack([of_class, of_dive])), "mean")
    by_dive = _known(np.eye(2)[names])
    mixed = replace(by_dive, parts=[by_dive.training[i::4] for i in range(4)])
    found = {}
    for name, known in {"dives": by_dive, "mixed": mixed}.items():
        chosen, tried = choose_strengths(features, known, ONE)
        (found[name],) = chosen.values()
        losses = {row["strength"]: row["loss"] for row in tried}
        assert set(losses) == set(STRENGTHS)
        assert losses[found[name]] == min(losses.values())
    assert found["dives"] > found["mixed"]


def test_unseen_logits_are_there_for_training_rows_alone_and_do_not_know_their_part() -> None:
    averaged, targets = _separable(24)
    known = _known(targets, held_out=8)
    found = unseen_logits(
        Features(_maps(averaged), "mean"), known, ONE, dict.fromkeys(ONE.heads, 0.01)
    )
    assert np.isnan(found[known.held_out]).all()
    assert not np.isnan(found[known.training]).any()
    other = targets.copy()
    other[known.parts[1]] = 1 - other[known.parts[1]]
    blind = unseen_logits(
        Features(_maps(averaged), "mean"),
        replace(known, targets=other),
        ONE,
        dict.fromkeys(ONE.heads, 0.01),
    )
    assert np.array_equal(found[known.parts[1]], blind[known.parts[1]])
    assert not np.array_equal(found[known.parts[0]], blind[known.parts[0]])


def test_two_heads_on_one_trunk_are_those_of_each_task_alone() -> None:
    averaged, targets = _separable(24)
    heads = {"floor": ("sandy", "reef"), "elements": ("waste", "fauna")}
    both = replace(ONE, heads=heads, thresholds=())
    halves = np.concatenate([targets, 1 - targets], axis=1).astype(np.float32)
    halves[:8, :2] = NAN  # eight images say nothing of the floor
    features, known = Features(_maps(averaged), "mean"), _known(halves)
    head = _head(features, known, both, 0.01)
    for task in heads:
        span = both.span(task)
        alone = _head(features, known.of(span), replace(both, heads={task: heads[task]}), 0.01)
        assert torch.allclose(head.weight[span], alone.weight, atol=1e-6)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    torch.manual_seed(0)
    backbone = load_backbone("mobilenetv3_small_050", "none")
    config = replace(ONE, backbone="mobilenetv3_small_050", locator=False, height=64, width=64)
    return Classifier(config, backbone)


def test_a_head_moves_as_far_as_it_is_let(classifier: Classifier) -> None:
    averaged, targets = _separable(20, channels=classifier.trunk.channels)
    features, known = Features(_maps(averaged), "mean"), _known(targets)
    inputs = torch.from_numpy(averaged)
    with torch.no_grad():
        before = classifier.head(inputs)
        assert (before.argmax(1).numpy() != targets.argmax(1)).any()
    moved = {}
    for strength in (1e6, 1e-3):
        model = copy.deepcopy(classifier)
        adapt_head(model, features, known, strength)
        with torch.no_grad():
            moved[strength] = model.head(inputs)
        if strength == 1e6:
            assert torch.allclose(model.head.weight, classifier.head.weight, atol=1e-4)
    assert (moved[1e-3].argmax(1).numpy() == targets.argmax(1)).all()
    difference = [after - before for after in moved.values()]
    assert difference[0].std() < 0.1 * difference[1].std()


def test_a_head_is_held_in_the_measure_of_the_features_it_was_fitted_on(
    classifier: Classifier,
) -> None:
    averaged, targets = _separable(20, channels=classifier.trunk.channels)
    known = _known(targets)
    results = []
    for scale in (1.0, 4.0):  # powers of two, which float16 holds exactly
        model = copy.deepcopy(classifier)
        with torch.no_grad():
            model.head.weight.div_(scale)
            model.feature_deviation.mul_(scale)
        adapt_head(model, Features(_maps(averaged * scale), "mean"), known, 0.01)
        with torch.no_grad():
            results.append(model.head(torch.from_numpy(averaged * scale)))
    assert torch.allclose(*results, atol=1e-2)
