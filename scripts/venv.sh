#!/usr/bin/env bash
# venv.sh : makes .venv at the root, with the project installed editable and the tools of its developers. Nothing is put
# anywhere else. Quick when nothing has changed that matters to it. $PYTHON chooses the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "sockhop: $python is $("$python" -V 2>&1); sockhop needs Python 3.11 or newer: name one with PYTHON" >&2
    exit 1
fi

# An environment is bound to its own path (scripts carry it) and to its interpreter; what is in it, to these files.
stamp=.venv/.sockhop
place="$PWD $("$python" -c 'import sys; print(sys.base_prefix, sys.version)' | tr '\n' ' ')"
content=$(cat pyproject.toml hatch_build.py scripts/venv.sh src/sockhop/version.py | cksum)

if [[ -x .venv/bin/python ]] && .venv/bin/python -c '' 2>/dev/null && [[ $(head -n 1 "$stamp" 2>/dev/null) == "$place" ]]; then
    [[ $(tail -n 1 "$stamp") != "$content" ]] || exit 0
else
    "$python" -m venv --clear .venv
fi
rm -f "$stamp"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
printf '%s\n' "$place" "$content" >"$stamp"
