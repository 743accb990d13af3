"""What a person would write to get the statistics of MMDU-45k: the peer that the streamed pass is measured against.

``python benchmarks/script.py FILE`` prints them as JSON.
"""

import json
import sys

import pandas as pd
import tiktoken

USER = ("user", "human")

encoding = tiktoken.get_encoding("o200k_base")
with open(sys.argv[1], encoding="utf-8") as file:
    records = json.load(file)
rows = []
for record in records:
    for message in record["conversations"]:
        text = message["value"].replace("<ImageHere>", "")
        rows.append(
            (record["id"], message["from"] in USER, len(encoding.encode(text, disallowed_special=())))
        )
frame = pd.DataFrame(rows, columns=["id", "question", "tokens"])
dialogs = frame.groupby("id")["tokens"].sum()
images = pd.Series([len(record["image"]) for record in records])
turns = frame[frame["question"]].groupby("id").size()
result = {
    "dialogs": len(records),
    "qa_pairs": int(frame["question"].sum()),
    "turns": turns.mean(),
    "most_turns": int(turns.max()),
    "images": images.mean(),
    "unique_images": len({path for record in records for path in record["image"]}),
    "text_tokens": dialogs.mean(),
    "most_text_tokens": int(dialogs.max()),
    "question_length": frame[frame["question"]]["tokens"].mean(),
    "answer_length": frame[~frame["question"]]["tokens"].mean(),
}
print(json.dumps(result))
