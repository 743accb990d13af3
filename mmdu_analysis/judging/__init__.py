"""Ask models for answers and judges for scores, on any server that speaks the OpenAI chat protocol."""
