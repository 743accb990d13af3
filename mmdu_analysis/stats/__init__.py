"""From frames to frames: no files, no plotting."""
