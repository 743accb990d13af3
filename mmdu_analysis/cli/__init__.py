"""The `mmdu` command."""

from mmdu_analysis.cli.app import app, main

__all__ = ["app", "main"]
