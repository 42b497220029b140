from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_grad_cam.utils.image import scale_cam_image

from classify.explain import (
    METHODS,
    Explainer,
    Explanation,
    explain_images,
    maps_by,
    save_contact_sheet,
)
from classify.model import Classifier, ModelConfig, load_classifier, save_classifier
from classify.runs import Run, RunError, start_run
from tests.classify.conftest import draw_labelled

FORWARD_PASSES = ("ablation-cam", "score-cam")  # one for each channel of the map


def _save(folder: Path, config: ModelConfig) -> Path:
    """Write a finished run of a classifier that was not trained."""
    torch.manual_seed(0)
    run = start_run(folder, command="classify train", config={})
    save_classifier(Classifier(config), folder)
    run.complete(counts={})
    return folder


@pytest.fixture(scope="module")
def few_channels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = ModelConfig(
        {"elements": ("fauna", "waste")},
        backbone="mobilenetv3_small_050",
        weights="none",
        height=64,
        width=96,
    )
    return _save(tmp_path_factory.mktemp("few") / "run", config)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a waste image, 0.png, and a fauna image, 1.png."""
    folder = tmp_path_factory.mktemp("fresh")
    draw_labelled(folder, images=2, seed=7)
    return folder


def _is_a_map_over_the_frame(found: Explanation, frame: Path) -> bool:
    heat = found.heat
    whole = found.overlay.shape == np.asarray(Image.open(frame)).shape
    return whole and heat.ndim == 2 and heat.min() >= 0 and heat.max() == pytest.approx(1)


@pytest.mark.parametrize("method", [m for m in METHODS if m not in FORWARD_PASSES])
def test_every_method_explains_an_image(method: str, elements_run: Run, fresh: Path) -> None:
    found = Explainer(elements_run.path, method=method)(fresh / "0.png")
    assert found.class_name == "waste"
    assert found.probability > 0.5
    assert _is_a_map_over_the_frame(found, fresh / "0.png")
    assert found.overlay.dtype == np.uint8


@pytest.mark.parametrize("method", FORWARD_PASSES)
def test_methods_that_try_each_channel_explain_an_image(
    method: str, few_channels: Path, fresh: Path
) -> None:
    found = Explainer(few_channels, method=method)(fresh / "0.png", class_name="waste")
    assert _is_a_map_over_the_frame(found, fresh / "0.png")


def test_the_exact_map_is_the_share_of_each_position_in_the_logit(
    elements_run: Run, fresh: Path
) -> None:
    model = load_classifier(elements_run.path)
    image = model.prepare(np.array(Image.open(fresh / "0.png")))
    with torch.inference_mode():
        features = model(torch.from_numpy(image[None])).features[0]
        shares = torch.einsum("chw,c->hw", features, model.head.weight[1]).numpy()
    exact = Explainer(elements_run.path)(fresh / "0.png", class_name="waste").heat
    stretched = (shares - shares.min()) / (shares.max() - shares.min())
    assert np.allclose(exact, stretched, atol=1e-3)
    for method in ("hires-cam", "grad-cam"):  # for the mean of a linear head they are the same map
        theirs = Explainer(elements_run.path, method=method)(fresh / "0.png", class_name="waste")
        wanted = scale_cam_image(np.maximum(shares, 0)[None], (96, 96))[0]
        assert np.allclose(theirs.heat, wanted / wanted.max(), atol=1e-2)


@pytest.mark.parametrize("method", ["grad-cam", "hires-cam"])
def test_the_exact_map_is_that_of_the_library_for_a_linear_head_on_the_mean(method: str) -> None:
    torch.manual_seed(0)
    config = ModelConfig({"elements": ("fauna", "waste")}, height=96, width=128)
    model = Classifier(config).eval()
    images = torch.randint(0, 255, (2, 96, 128, 3), dtype=torch.uint8)
    with torch.no_grad():
        output = model(images)
    exact = maps_by("cam", model, images, output, [0, 1])
    bias = model.head.bias.detach().numpy()[:, None, None]  # which the library leaves out
    wanted = scale_cam_image(np.maximum(exact - bias, 0), (128, 96))
    wanted /= wanted.max(axis=(1, 2), keepdims=True)
    assert np.allclose(maps_by(method, model, images, output, [0, 1]), wanted, atol=1e-4)


@pytest.mark.parametrize(
    "backbone", ["vit_tiny_patch16_224", "convnext_atto", "swin_tiny_patch4_window7_224"]
)
@pytest.mark.parametrize("method", ["cam", "locator", "grad-cam", "eigen-cam"])
def test_the_maps_of_any_architecture_are_those_of_the_classes_asked_for(
    backbone: str, method: str
) -> None:
    torch.manual_seed(0)
    model = Classifier(
        ModelConfig(
            {"elements": ("fauna", "waste")}, backbone=backbone, weights="none", height=96, width=64
        )
    ).eval()
    images = torch.randint(0, 255, (2, 96, 64, 3), dtype=torch.uint8)
    with torch.no_grad():
        output = model(images)
        last = model.classify(output.features[1:])
    both = maps_by(method, model, images, output, [0, 1])
    assert both.shape[0] == 2
    assert both.shape[1] / both.shape[2] == pytest.approx(96 / 64)
    assert np.isfinite(both).all()
    alone = maps_by(method, model, images[1:], last, [1])
    assert np.allclose(both[1], alone[0], atol=1e-4)


def test_the_locator_is_another_map_than_that_of_the_decision(
    elements_run: Run, fresh: Path
) -> None:
    model = load_classifier(elements_run.path)
    image = model.prepare(np.array(Image.open(fresh / "0.png")))
    with torch.inference_mode():
        maps = model(torch.from_numpy(image[None])).maps[0, 1].numpy()
    found = Explainer(elements_run.path, method="locator")(fresh / "0.png").heat
    assert np.allclose(found, (maps - maps.min()) / (maps.max() - maps.min()), atol=1e-3)
    assert not np.allclose(found, Explainer(elements_run.path)(fresh / "0.png").heat, atol=0.05)


def test_the_heat_lies_on_the_object(elements_run: Run, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(60, 120, (192, 192, 3), np.uint8)
    pixels[110:190, 110:190] = (250, 30, 30)
    Image.fromarray(pixels).save(tmp_path / "corner.png")
    found = Explainer(elements_run.path, method="locator")(tmp_path / "corner.png")
    row, column = np.unravel_index(found.heat.argmax(), found.heat.shape)
    assert row >= 1
    assert column >= 1
    changed = (found.overlay != pixels).any(axis=2)
    assert changed[96:, 96:].mean() > changed[:96, :96].mean()


def test_the_class_can_be_chosen(both_run: Run, fresh: Path) -> None:
    explain = Explainer(both_run.path)
    likeliest = explain(fresh / "0.png")
    assert likeliest.class_name == "waste"  # of elements, the main task
    sandy, muddy = (explain(fresh / "0.png", class_name=name) for name in ("sandy", "muddy"))
    assert sandy.class_name == "sandy"
    assert sandy.probability + muddy.probability == pytest.approx(1)
    assert not np.allclose(sandy.heat, muddy.heat)


def test_an_unknown_method_or_class_names_the_option(elements_run: Run, fresh: Path) -> None:
    with pytest.raises(RunError, match="--method 'gradcam' is none of cam, locator, grad-cam"):
        Explainer(elements_run.path, method="gradcam")
    with pytest.raises(RunError, match="--class 'kelp' is none of fauna, waste"):
        Explainer(elements_run.path)(fresh / "0.png", class_name="kelp")


def test_what_the_classifier_does_not_look_at_stays_untouched(
    few_channels: Path, tmp_path: Path
) -> None:
    config = replace(load_classifier(few_channels).config, crop_width=0.5)
    run = _save(tmp_path / "run", config)
    pixels = np.random.default_rng(0).integers(0, 255, (90, 160, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "frame.png")
    overlay = Explainer(run)(tmp_path / "frame.png").overlay
    assert np.array_equal(overlay[:, :40], pixels[:, :40])
    assert np.array_equal(overlay[:, 120:], pixels[:, 120:])
    assert not np.array_equal(overlay[:, 40:120], pixels[:, 40:120])


def test_a_large_jpeg_is_laid_over_at_the_scale_it_was_decoded_at(
    few_channels: Path, tmp_path: Path
) -> None:
    Image.fromarray(np.full((720, 1280, 3), 90, np.uint8)).save(tmp_path / "frame.jpg")
    overlay = Explainer(few_channels)(tmp_path / "frame.jpg").overlay
    assert overlay.shape[0] < 720
    assert overlay.shape[1] / overlay.shape[0] == pytest.approx(16 / 9, abs=0.02)
    red, _, blue = overlay.max(axis=(0, 1))
    assert red > blue  # the hottest place is yellow


def test_each_image_has_its_picture_and_a_damaged_one_none(
    few_channels: Path, fresh: Path, tmp_path: Path
) -> None:
    torn = tmp_path / "torn.jpg"
    torn.write_bytes(b"\xff\xd8\xff")
    paths = [fresh / "0.png", torn, fresh / "1.png"]
    steps: list[tuple[int, int]] = []
    written = explain_images(
        few_channels,
        paths,
        tmp_path / "out",
        class_name="waste",
        progress=lambda done, total: steps.append((done, total)),
    )
    assert [target.name for target, _, _ in written] == ["0-waste.jpg", "1-waste.jpg"]
    assert all(name == "waste" and 0 < share < 1 for _, name, share in written)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"0-waste.jpg", "1-waste.jpg"}
    assert np.asarray(Image.open(written[0][0])).shape == (96, 96, 3)
    assert steps[-1] == (3, 3)


def test_frames_of_one_name_in_two_dives_have_a_picture_each(
    few_channels: Path, fresh: Path, tmp_path: Path
) -> None:
    paths = []
    for number, dive in enumerate(("d1", "d2")):
        (tmp_path / dive).mkdir()
        paths.append(tmp_path / dive / "frame.png")
        paths[-1].write_bytes((fresh / f"{number}.png").read_bytes())
    written = explain_images(few_channels, paths, tmp_path / "out", class_name="waste")
    pictures = [np.asarray(Image.open(target)) for target, _, _ in written]
    assert len({target for target, _, _ in written}) == 2
    assert not np.array_equal(*pictures)


def test_the_contact_sheet_shows_images_and_their_augmentations(
    few_channels: Path, fresh: Path, tmp_path: Path
) -> None:
    torn = tmp_path / "torn.jpg"
    torn.write_bytes(b"\xff\xd8\xff")
    target = save_contact_sheet(
        few_channels, [torn, fresh / "0.png", fresh / "1.png"], tmp_path / "out", strength=1.0
    )
    sheet = cv2.imread(str(target))
    assert sheet.shape[0] > 2 * 64  # a row an image at the classifier's size, and the effects
    assert sheet.shape[1] > 6 * 96
    with pytest.raises(RunError, match="IMAGES: none of 1 can be read"):
        save_contact_sheet(few_channels, [torn], tmp_path / "out", strength=1.0)
