"""The paper's tables and measurements of the real dialogues, and their loader."""
