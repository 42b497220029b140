"""A synthetic ROV survey with known truth, for trying out and scoring the whole pipeline."""

from discover.demo.layout import Layout
from discover.demo.survey import TRUTH_SCHEMA, render_survey

__all__ = ["TRUTH_SCHEMA", "Layout", "render_survey"]
