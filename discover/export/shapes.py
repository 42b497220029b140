"""Outlines of masks, in pixels of the original image."""

from functools import reduce
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco

Polygon = list[float]  # x, y, x, y, ...; not closed
Corners = npt.NDArray[np.int32]  # [corners, 2]


def outline(row: dict[str, Any]) -> Polygon:
    """Return the outline of a crop's mask, through its outermost pixels; without a mask, its box.

    Formats that hold one polygon an annotation cannot hold parts: those of a mask are joined by
    lines that run there and back, and so enclose nothing.

    Args:
        row: of the records: `x, y, w, h, mask, image_width, image_height`.
    """
    if not row["mask"]:
        return box_corners(row)
    size = [int(row["image_height"]), int(row["image_width"])]
    pixels = coco.decode({"size": size, "counts": row["mask"].encode()})
    x, y, w, h = (int(row[name]) for name in "xywh")
    part = np.ascontiguousarray(pixels[y : y + h, x : x + w])
    found, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not found:
        return box_corners(row)
    rings = sorted((c.reshape(-1, 2) for c in found), key=cv2.contourArea, reverse=True)
    joined = reduce(_join, rings) + np.array([x, y])
    return joined.astype(float).ravel().tolist()


def _join(ring: Corners, part: Corners) -> Corners:
    """Return one ring round two, joined where their corners are nearest."""
    apart = np.linalg.norm(ring[:, None] - part[None], axis=2)
    here, there = np.unravel_index(int(apart.argmin()), apart.shape)
    turned = np.roll(part, -int(there), axis=0)
    return np.concatenate([ring[: here + 1], turned, turned[:1], ring[here:]])


def inner_point(row: dict[str, Any]) -> tuple[int, int]:
    """Return x and y of the pixel of a crop's mask that lies deepest inside; of a box, its middle.

    The middle of a mask may lie outside of it, as that of a ring does.
    """
    x, y, w, h = (int(row[name]) for name in "xywh")
    if not row["mask"]:
        return x + w // 2, y + h // 2
    size = [int(row["image_height"]), int(row["image_width"])]
    pixels = coco.decode({"size": size, "counts": row["mask"].encode()})
    part = np.pad(pixels[y : y + h, x : x + w], 1)
    depth = cv2.distanceTransform(part, cv2.DIST_L2, 5)
    below, right = np.unravel_index(int(depth.argmax()), depth.shape)
    return x + int(right) - 1, y + int(below) - 1


def box_corners(row: dict[str, Any]) -> Polygon:
    """Return the four corners of a crop's box as 8 numbers."""
    x, y, w, h = (float(row[name]) for name in "xywh")
    return [x, y, x + w, y, x + w, y + h, x, y + h]


def box_of(polygon: Polygon, *, pixels: bool = False) -> tuple[float, float, float, float]:
    """Return the box (x, y, w, h) of a polygon.

    Args:
        polygon: its corners.
        pixels: whether they are pixels, which the box holds whole, and not points between them.
    """
    xs, ys = polygon[0::2], polygon[1::2]
    return min(xs), min(ys), max(xs) - min(xs) + pixels, max(ys) - min(ys) + pixels
