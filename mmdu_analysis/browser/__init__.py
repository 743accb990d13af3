"""Read dialogues as conversations: in JupyterLab, in a web browser, or as a single page."""
