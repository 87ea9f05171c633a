#!/usr/bin/env bash
# The job dedup over synthetic documents: 1, 2 and 4 workers, then kill -9 at five random moments and resumed each time.
# All lines must end in the same checksum of the clusters.
#
#     benchmarks/dedup_kill.sh FOLDER [DOCUMENTS]
set -euo pipefail
folder=$1 documents=${2:-2000000}
here=$(dirname "$0")
for workers in 1 2 4; do
    python "$here/dedup_scale.py" "$folder" --documents "$documents" --workers "$workers" | grep "clusters [0-9a-f]*$"
done
rm -rf "$folder/_jobs/dedup" "$folder/duplicates"
for kill in 1 2 3 4 5; do
    setsid python "$here/dedup_scale.py" "$folder" --documents "$documents" --resume > /dev/null 2>&1 &
    group=$!
    sleep $((RANDOM % 5 + 3)).$((RANDOM % 10))
    kill -9 -- "-$group" && echo "killed, with $(find "$folder/_jobs/dedup" -type f | wc -l) files of the job" || true
    wait "$group" 2> /dev/null || true
done
python "$here/dedup_scale.py" "$folder" --documents "$documents" --resume | grep "clusters [0-9a-f]*$"
