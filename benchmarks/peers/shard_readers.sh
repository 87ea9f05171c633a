#!/usr/bin/env bash
# Makes the environment of the readers and writers of token datasets that exports are checked with:
#
#     benchmarks/peers/shard_readers.sh FOLDER        (about 6 GB with PyTorch; then FOLDER/bin/python is its Python)
#
# mosaicml-streaming pins old versions of NumPy and transformers, and OLMo-core and datatrove ask for much that reading
# shards does not need, hence --no-deps. torchvision comes with litdata and is taken away: streaming works with a stub.
set -euo pipefail
folder=${1:?usage: shard_readers.sh FOLDER}
"${PYTHON:-python3}" -m venv "$folder"
pip() { "$folder/bin/pip" "$@" --quiet --disable-pip-version-check; }
pip install torch==2.13.0 numpy megatron-core litdata datasets transformers
pip uninstall --yes torchvision
pip install --no-deps mosaicml-streaming ai2-olmo-core datatrove
pip install Brotli python-snappy zstd "xxhash<4" "catalogue<3" boto3 bettermap dataclass-extensions importlib_resources \
    pandas cached-path rich loguru humanize dill
"$folder/bin/pip" list --disable-pip-version-check | grep -i -E "megatron|streaming|litdata|olmo|datatrove|datasets"
