#!/usr/bin/env bash
# usage: setup.sh DIR
# Makes a Python environment with the peers' engines in DIR, which must lie outside of this repository.
# Then: tarn bench --peers DIR/bin/python
set -eu
[ $# = 1 ] || { sed -n '2,4s/^# //p' "$0"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../../.." && pwd)
case "$(realpath -m "$1")/" in
"$repository"/*) echo "setup.sh: $1 lies in the repository: choose another place" >&2; exit 2 ;;
esac
"${PYTHON:-python3}" -m venv "$1"
# PyTorch's own index has builds without CUDA, which are much smaller.
"$1/bin/pip" install --quiet --extra-index-url https://download.pytorch.org/whl/cpu -r "$here/requirements.txt"
echo "done; now: tarn bench --peers $1/bin/python"
