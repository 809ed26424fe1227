#!/usr/bin/env bash
# Creates the Python environment everything runs in, and makes sure Terraform is there. Safe to run again; quick when
# nothing has changed.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly UV_VERSION=0.13.9
readonly BIN=.workbook/bin

# Behind a company proxy with its own certificate, the system's certificate store has it and uv's own list does not.
if [ -s /etc/ssl/certs/ca-certificates.crt ]; then
  export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"
fi

say() { printf '%s\n' "$*"; }
fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
  local name
  for name in python3 python3.13 python3.12 python3.11 python3.14 python; do
    if command -v "$name" >/dev/null && new_enough "$name"; then
      command -v "$name"
      return
    fi
  done
}

# uv installs the locked set about twenty times faster than pip. It is a single file, so a copy outside any environment
# is enough.
find_uv() {
  if [ -x "$BIN/uv" ] && [ "$("$BIN/uv" --version 2>/dev/null | cut -d' ' -f2)" = "$UV_VERSION" ]; then
    echo "$BIN/uv"
    return
  fi
  if command -v uv >/dev/null; then
    command -v uv
    return
  fi
  local python=$1 scratch
  [ -n "$python" ] || fail "Python 3.11 or newer is missing (found: $(python3 --version 2>&1 | head -n 1)). Install it, or uv, and run this again."
  scratch=$(mktemp -d)
  # shellcheck disable=SC2064 # Expand now, not when the trap runs.
  trap "rm -rf '$scratch'" EXIT
  local pip=("$python" -m pip)
  if ! "${pip[@]}" --version >/dev/null 2>&1; then
    "$python" -m venv "$scratch/venv" >/dev/null 2>&1 ||
      fail "$python has neither pip nor venv. Install one (Debian and Ubuntu: apt-get install python3-venv), or uv, and run this again."
    pip=("$scratch/venv/bin/python" -m pip)
  fi
  "${pip[@]}" install -qq --disable-pip-version-check --root-user-action ignore --target "$scratch/uv" "uv==$UV_VERSION" >&2 ||
    fail "could not install uv $UV_VERSION with pip; see above. Without a network, install uv by hand and run this again."
  mkdir -p "$BIN"
  mv "$scratch/uv/bin/uv" "$BIN/uv"
  echo "$BIN/uv"
}

if [ "$(basename "${CONDA_DEFAULT_ENV:-}")" = workbook ] && [ -n "${CONDA_PREFIX:-}" ]; then
  say "setup: conda environment $CONDA_PREFIX"
  python=$CONDA_PREFIX/bin/python
  new_enough "$python" || fail "Python in the conda environment is older than 3.11. Run: conda env update -f environment.yml"
  "$python" -m pip install --quiet --disable-pip-version-check --no-build-isolation --editable '.[test]' ||
    fail "pip could not install the packages missing from the conda environment; see above. Run: conda env update -f environment.yml"
else
  base=$(find_python)
  uv=$(find_uv "$base")
  python=.venv/bin/python
  if ! { [ -x "$python" ] && new_enough "$python"; }; then
    say "setup: virtual environment .venv (${base:-Python from uv})"
    "$uv" venv --quiet --clear --python "${base:->=3.11}" .venv || fail "could not create the virtual environment; see above."
  fi
  say "setup: packages from requirements.lock"
  "$uv" pip sync --quiet --python "$python" requirements.lock ||
    fail "could not install the packages in requirements.lock; see above. Is there a network connection?"
  "$uv" pip install --quiet --python "$python" --no-deps --no-build-isolation --editable . || fail "could not install the project; see above."
fi

"$python" -m workbook.terraform.binary || true
# The policy simulator for the access proofs: better to spend a minute now than in front of an audience.
"$python" -m workbook.access || true
