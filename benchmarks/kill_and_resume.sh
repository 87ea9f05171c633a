#!/usr/bin/env bash
# Kill -9 a run's whole process group in the middle of `annotate`, `encode` and `shard`, resume it with another number of
# workers, and compare every file with an uninterrupted run.
#
#   benchmarks/kill_and_resume.sh RECIPE FOLDER
#
# The recipe should make a dozen work units and shards or more: see annotate.unit_bytes, shards.unit_bytes and
# shards.shard_tokens.
set -euo pipefail
recipe=$1 folder=$2
glotmill=${GLOTMILL:-glotmill}
mkdir -p "$folder"

kill_after() { # job, finished parts to wait for, workers
  setsid "$glotmill" shard "$recipe" --output "$folder/killed" --workers "$3" >/dev/null 2>&1 &
  local group=$!
  until [ "$(find "$folder/killed/_jobs/$1" -name 'part-*.json' 2>/dev/null | wc -l)" -ge "$2" ]; do
    kill -0 "$group" 2>/dev/null || { echo "ended before it could be killed"; return 1; }
    sleep 0.05
  done
  kill -9 -- "-$group"
  wait "$group" 2>/dev/null || true
  echo "killed in $1 with $(find "$folder/killed/_jobs/$1" -name 'part-*.json' | wc -l) finished parts," \
    "$(find "$folder/killed" -name '*.tmp-*' | wc -l) half-written files"
}

rm -rf "$folder/killed" "$folder/whole"
"$glotmill" shard "$recipe" --output "$folder/whole" --workers 1 | grep -E '^[a-z-]+ '
kill_after annotate 5 2
kill_after annotate 12 1
"$glotmill" select "$recipe" --output "$folder/killed" --workers 2 | grep -E 'annotate|dedup|select'
kill_after encode 2 1
kill_after shard 1 1
"$glotmill" shard "$recipe" --output "$folder/killed" --workers 2 | grep -E '^[a-z-]+ '

(cd "$folder/whole" && find . -type f | sort | xargs sha256sum) >"$folder/whole.sha256"
(cd "$folder/killed" && find . -type f | sort | xargs sha256sum) >"$folder/killed.sha256"
if diff -q "$folder/whole.sha256" "$folder/killed.sha256" >/dev/null; then
  echo "all $(wc -l <"$folder/whole.sha256") files are equal"
else
  echo "DIFFERENT:"
  diff "$folder/whole.sha256" "$folder/killed.sha256" | head -20
  exit 1
fi
