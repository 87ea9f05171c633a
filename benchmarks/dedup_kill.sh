#!/usr/bin/env bash
# The job dedup over synthetic documents: 1, 2 and 4 workers, then kill -9 at five random moments and resumed each time.
# All lines must end in the same checksum of the clusters.
#
#     benchmarks/dedup_kill.sh FOLDER [DOCUMENTS]
set -euo pipefail
folder=$1 documents=${2:-2000000}
here=$(dirname "$0")
for workers in 1 2 4; do
    python "$here/dedup_scale.py" "$folder" --documents "$documents" --workers "$workers" 2> /dev/null | grep "clusters [0-9a-f]*$"
done
rm -rf "$folder/_jobs/dedup" "$folder/duplicates"
finished=0
for kill in 1 2 3 4 5; do
    setsid python "$here/dedup_scale.py" "$folder" --documents "$documents" --resume > /dev/null 2>&1 &
    group=$! until=$((finished + RANDOM % 12 + 1))
    while kill -0 "$group" 2> /dev/null && [ "$finished" -lt "$until" ]; do
        sleep 0.0$((RANDOM % 9 + 1))
        finished=$({ find "$folder/_jobs/dedup" -type f 2> /dev/null || true; } | wc -l)
    done
    kill -9 -- "-$group" 2> /dev/null && echo "killed, with $finished files of the job" || echo "was done before"
    wait "$group" 2> /dev/null || true
done
python "$here/dedup_scale.py" "$folder" --documents "$documents" --resume 2> /dev/null | grep "clusters [0-9a-f]*$"
