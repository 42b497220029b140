"""Outlines of masks, in pixels of the original image."""

from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco

Polygon = list[float]  # x, y, x, y, ...; not closed


def outline(row: dict[str, Any]) -> list[Polygon]:
    """Return the outlines of a crop's mask, the largest first; of one without a mask, its box.

    Args:
        row: of the records: `x, y, w, h, mask, image_width, image_height`.
    """
    if not row["mask"]:
        return [box_corners(row)]
    size = [int(row["image_height"]), int(row["image_width"])]
    pixels = coco.decode({"size": size, "counts": row["mask"].encode()})
    x, y, w, h = (int(row[name]) for name in "xywh")
    part = np.ascontiguousarray(pixels[y : y + h, x : x + w])
    found, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    rings = sorted((c for c in found if len(c) >= 3), key=cv2.contourArea, reverse=True)
    moved = [(ring.reshape(-1, 2) + np.array([x, y])).astype(float) for ring in rings]
    return [ring.ravel().tolist() for ring in moved] or [box_corners(row)]


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


def box_of(polygon: Polygon) -> tuple[float, float, float, float]:
    """Return the box (x, y, w, h) of a polygon whose corners are pixels or edges."""
    xs, ys = polygon[0::2], polygon[1::2]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
