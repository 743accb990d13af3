"""Read dialogues as conversations: in JupyterLab, in a web browser of its own, or as a single page."""
