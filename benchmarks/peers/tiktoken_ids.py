"""The ids of tiktoken for the texts in FOLDER/text.parquet, as FOLDER/ids.parquet: RANKS PATTERN FOLDER."""

import json
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import tiktoken
from tiktoken.load import load_tiktoken_bpe

path, pattern, folder = sys.argv[1:]
ranks = load_tiktoken_bpe(path)
encoding = tiktoken.Encoding("file", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
texts = pq.read_table(f"{folder}/text.parquet")["text"].to_pylist()
started = time.process_time()
ids = [encoding.encode_ordinary(text) for text in texts]
seconds = time.process_time() - started
pq.write_table(pa.table({"ids": pa.array(ids, pa.large_list(pa.uint32()))}), f"{folder}/ids.parquet")
print(json.dumps({"seconds": seconds}))
