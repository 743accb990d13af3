"""Load judges' scores: one reader for each format, which return the same rows."""

from mmdu_analysis.io.scores.loading import load_scores as load_scores
