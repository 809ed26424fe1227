#!/usr/bin/env bash
# Resolves requirements.lock again from pyproject.toml, and updates the pins in environment.yml to match.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=.workbook/bin/uv
[ -x "$uv" ] || uv=uv
"$uv" pip compile pyproject.toml --quiet --upgrade --extra test --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --output-file requirements.lock
"$uv" pip compile audit/requirements.in --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --output-file audit/requirements.lock
python3 - <<'PY'
import pathlib
import re

pins = dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", pathlib.Path("requirements.lock").read_text(), re.M))
path = pathlib.Path("environment.yml")
path.write_text(
    re.sub(
        r"^(\s*- )([a-z0-9._-]+)(\[[a-z]+\])?(={1,2})[^\s#]+",
        lambda m: f"{m[1]}{m[2]}{m[3] or ''}{m[4]}{pins[m[2]]}" if m[2] in pins else m[0],
        path.read_text(),
        flags=re.M,
    )
)
PY
