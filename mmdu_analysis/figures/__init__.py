"""From frames to Axes: one figure a module, no statistics."""
