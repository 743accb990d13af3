"""What a person would write to get the statistics of MMDU-45k: the peer that the streamed pass is measured against.

``python benchmarks/script.py FILE`` prints them as JSON. It counts no image references, which ours does.
"""

import json
import sys

import pandas as pd
import tiktoken

encoding = tiktoken.get_encoding("o200k_base")
with open(sys.argv[1], encoding="utf-8") as file:
    records = json.load(file)

frame = pd.DataFrame(records).explode("conversations", ignore_index=True)
frame["speaker"] = frame["conversations"].map(lambda message: message["from"])
frame["text"] = frame["conversations"].map(lambda message: message["value"].replace("<ImageHere>", ""))
frame["tokens"] = frame["text"].map(lambda text: len(encoding.encode(text)))

asked = frame["speaker"].isin(["user", "human"])
dialogs = frame.groupby("id")["tokens"].sum()
turns = frame[asked].groupby("id").size()
images = pd.DataFrame(records).explode("image")["image"]
result = {
    "dialogs": len(records),
    "qa_pairs": int(asked.sum()),
    "turns": turns.mean(),
    "most_turns": int(turns.max()),
    "images": len(images) / len(records),
    "unique_images": images.nunique(),
    "text_tokens": dialogs.mean(),
    "most_text_tokens": int(dialogs.max()),
    "question_length": frame.loc[asked, "tokens"].mean(),
    "answer_length": frame.loc[~asked, "tokens"].mean(),
}
print(json.dumps(result))
