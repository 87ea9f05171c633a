#!/usr/bin/env bash
# Makes the environment of the loaders that benchmarks/loader_against_peers.py compares with:
#
#     benchmarks/peers/loader.sh FOLDER        (about 3 GB; then FOLDER/bin/python is its Python)
#
# mosaicml-streaming and OLMo-core pin libraries they run without, hence --no-deps; torchvision, which litdata pulls in,
# does not load beside PyTorch's CPU build.
set -euo pipefail
folder=${1:?usage: loader.sh FOLDER}
"${PYTHON:-python3.11}" -m venv "$folder"
install=("$folder/bin/pip" install --quiet --disable-pip-version-check)
"${install[@]}" torch numpy
"${install[@]}" megatron-core
"${install[@]}" --no-deps mosaicml-streaming
"${install[@]}" Brotli python-snappy zstd 'xxhash<4' 'catalogue<3' tqdm boto3 requests pyyaml transformers
"${install[@]}" litdata
"$folder/bin/pip" uninstall --quiet --yes torchvision
"${install[@]}" --no-deps ai2-olmo-core
"${install[@]}" bettermap dataclass-extensions importlib_resources pandas cached-path rich omegaconf safetensors
"${install[@]}" grain array-record
"$folder/bin/pip" list | grep -iE "megatron|streaming|litdata|olmo|grain|array.record|^torch"
