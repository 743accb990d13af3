"""The synthetic sample: dialogues, answers and scores with a known truth."""
