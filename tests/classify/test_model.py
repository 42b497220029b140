from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from classify.backbones import Trunk, WeightsError, feature_map, load_backbone
from classify.model import Classifier, ModelConfig, load_classifier, pool_map, save_classifier
from classify.runs import RunError, start_run


@pytest.fixture(scope="module")
def model() -> Classifier:
    torch.manual_seed(0)
    return Classifier(
        ModelConfig({"elements": ("waste", "fauna")}, height=96, width=128, locator=False)
    ).eval()


def _images(model: Classifier, n: int = 2) -> torch.Tensor:
    shape = (n, model.config.height, model.config.width, 3)
    return torch.from_numpy(np.random.default_rng(0).integers(0, 255, shape, np.uint8))


def test_logits_are_the_pool_of_the_map(model: Classifier) -> None:
    with torch.inference_mode():
        output = model(_images(model))
    assert output.maps.shape == (2, 2, 3, 4)
    assert torch.allclose(output.logits, pool_map(output.maps, model.config))


def test_mean_pool_equals_a_linear_head_on_the_averaged_features() -> None:
    torch.manual_seed(0)
    model = Classifier(
        ModelConfig({"floor": ("a", "b")}, height=64, width=64, locator=False)
    ).eval()
    with torch.inference_mode():
        output = model(_images(model))
        expected = model.head(output.features.mean(dim=(2, 3)))
    assert torch.allclose(output.logits, expected, atol=1e-5)


def test_maps_equal_those_of_grad_cam_for_a_mean_pool() -> None:
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    torch.manual_seed(0)
    model = Classifier(
        ModelConfig({"floor": ("a", "b")}, height=96, width=128, locator=False)
    ).eval()

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model
            self.last = torch.nn.Identity()

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            features = self.last(self.model.trunk.last_map(images))
            return self.model.head(features.mean(dim=(2, 3)))

    images = _images(model, 1)
    normalised = model.trunk.normalised(images)
    wrapped = Logits()
    with GradCAM(wrapped, [wrapped.last]) as cam:
        logits = cam.activations_and_grads(normalised)
        ClassifierOutputTarget(1)(logits[0]).backward()
        activations = cam.activations_and_grads.activations[0].numpy()
        gradients = cam.activations_and_grads.gradients[0].numpy()
        theirs = cam.get_cam_image(normalised, wrapped.last, [1], activations, gradients)[0]
    with torch.inference_mode():
        ours = (model(images).maps[0, 1] - model.head.bias[1]).numpy()
    assert np.allclose(ours / ours.size, theirs, atol=1e-4)


def test_crop_and_resize_are_part_of_the_model() -> None:
    config = ModelConfig(
        {"floor": ("a", "b")}, height=50, width=60, crop_width=0.5, crop_height=0.5
    )
    model = Classifier(config)
    frame = np.zeros((200, 400, 3), np.uint8)
    frame[50:150, 100:300] = 255
    assert model.window(400, 200) == (100, 50, 200, 100)
    prepared = model.prepare(frame)
    assert prepared.shape == (50, 60, 3)
    assert (prepared == 255).all()


def test_a_saved_classifier_is_the_same_and_changes_are_noticed(
    model: Classifier, tmp_path: Path
) -> None:
    run = start_run(tmp_path, command="classify train", config={})
    save_classifier(model, tmp_path)
    with pytest.raises(RunError, match="not finished"):
        load_classifier(tmp_path)
    run.complete(counts={})
    images = _images(model)
    with torch.inference_mode():
        assert torch.equal(load_classifier(tmp_path)(images).logits, model(images).logits)
    weights = tmp_path / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(RunError, match="is not the file that was written"):
        load_classifier(tmp_path)


@pytest.mark.parametrize(
    "settings", [{"pool": "max"}, {"crop_width": 0.0}, {"crop_height": 1.5}, {"levels": 3}]
)
def test_wrong_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(RunError, match="--"):
        ModelConfig({"floor": ("a", "b")}, **settings)


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(RunError, match="unknown setting 'poool'"):
        ModelConfig.from_dict({"heads": {"floor": ["a"]}, "poool": "mean"})


@pytest.mark.parametrize(
    "name", ["resnet18", "vit_tiny_patch16_224", "convnext_atto", "swin_s3_tiny_224"]
)
def test_the_map_of_any_architecture_has_channels_first(name: str) -> None:
    backbone = load_backbone(name, "none")
    with torch.inference_mode():
        features = feature_map(backbone, torch.zeros(1, 3, 224, 224))
    assert features.shape[:2] == (1, backbone.num_features)
    assert features.ndim == 4


def test_two_levels_join_the_map_of_the_stage_before() -> None:
    backbone = load_backbone("resnet18", "none")
    images = torch.zeros(1, 64, 96, 3, dtype=torch.uint8)
    with torch.inference_mode():
        last, joined = Trunk(backbone)(images), Trunk(backbone, levels=2)(images)
    assert joined.shape == (1, 512 + 256, 2, 3)
    assert torch.allclose(joined[:, :512], last, atol=1e-5)
    assert Trunk(backbone, levels=2).channels == 768


def test_a_transformer_takes_the_input_size_of_the_classifier() -> None:
    config = ModelConfig(
        {"floor": ("a", "b")}, backbone="vit_tiny_patch16_224", weights="none", height=64, width=96
    )
    with torch.inference_mode():
        assert Classifier(config).eval()(_images_of(64, 96)).maps.shape == (1, 2, 4, 6)


def test_the_locator_says_where_and_has_no_say_in_what() -> None:
    config = ModelConfig({"floor": ("a", "b")}, height=64, width=64)
    model = Classifier(config).eval()
    with torch.inference_mode():
        before = model(_images_of(64, 64))
        model.locator.weight.mul_(3)
        after = model(_images_of(64, 64))
    assert torch.equal(before.logits, after.logits)
    assert not torch.equal(before.maps, after.maps)


def test_probabilities_of_each_task_sum_to_one() -> None:
    heads = {"floor": ("sandy", "reef"), "elements": ("fauna", "algae", "waste")}
    model = Classifier(ModelConfig(heads, height=64, width=64)).eval()
    found = model.probabilities(torch.randn(4, 5))
    assert torch.allclose(found[:, model.config.span("floor")].sum(1), torch.ones(4))
    assert torch.allclose(found[:, model.config.span("elements")].sum(1), torch.ones(4))
    with pytest.raises(RunError, match="knows floor, elements, not 'kelp'"):
        model.config.span("kelp")


def _images_of(height: int, width: int) -> torch.Tensor:
    pixels = np.random.default_rng(0).integers(0, 255, (1, height, width, 3), np.uint8)
    return torch.from_numpy(pixels)


def test_weights_from_a_file_of_the_user(tmp_path: Path) -> None:
    backbone = load_backbone("resnet18", "none")
    save_file(backbone.state_dict(), tmp_path / "w.safetensors")
    torch.save({"state_dict": backbone.state_dict()}, tmp_path / "w.pth")
    for name in ("w.safetensors", "w.pth"):
        loaded = load_backbone("resnet18", str(tmp_path / name))
        assert torch.equal(loaded.conv1.weight, backbone.conv1.weight)
    with pytest.raises(WeightsError, match="does not fit"):
        load_backbone("resnet34", str(tmp_path / "w.pth"))


def test_weights_that_run_code_are_refused(tmp_path: Path) -> None:
    import pickle

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "owned",))

    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(WeightsError, match="cannot be loaded safely"):
        load_backbone("resnet18", str(tmp_path / "evil.pth"))
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        ("resnet18", "bundled", "holds tf_efficientnet_lite0, .* only"),
        ("resnett18", "none", "is not a timm model"),
        ("resnet18", "nowhere.pth", "nor a file"),
    ],
)
def test_wrong_weights_have_their_message(name: str, weights: str, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        load_backbone(name, weights)


def test_a_hub_that_cannot_be_reached_says_what_else_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match="--weights bundled"):
        load_backbone("resnet10t.c3_in1k", "timm")
