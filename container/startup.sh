#!/bin/sh
# What the Fargate task runs: checks its configuration, then becomes the dashboard (dashboard.py).
#
# The image contains nothing of ours, so the task definition passes both files as one argument of `sh -c`: Terraform puts
# dashboard.py into the here-document below (terraform/environments/dev/ecs.tf). Configured by environment variables:
#   BUCKET_NAME        bucket to list (required)
#   PORT               port to listen on (8080)
#   CHECK_INTERVAL     seconds from the start of one check to the next (30)
#   CHECK_TIMEOUT      seconds a check may take (10)
#   PAGES_DIR          the only writable directory: pages, HOME and TMPDIR (/var/dashboard)
#   ENVIRONMENT        name shown on the page
#   SECURITY_FEATURES  lines of `title: detail`, shown on the page
set -eu
LC_ALL=C
umask 077

fail() {
  printf '{"event":"configuration_error","message":"%s"}\n' "$1" >&2
  exit 78
}

whole_number() {
  case $2 in
    '' | *[!0-9]* | ??????*) fail "$1 must be a whole number from $3 to $4." ;;
  esac
  if [ "$2" -lt "$3" ] || [ "$2" -gt "$4" ]; then
    fail "$1 must be a whole number from $3 to $4."
  fi
}

BUCKET_NAME=${BUCKET_NAME:-}
PORT=${PORT:-8080}
CHECK_INTERVAL=${CHECK_INTERVAL:-30}
CHECK_TIMEOUT=${CHECK_TIMEOUT:-10}
PAGES_DIR=${PAGES_DIR:-/var/dashboard}

# Any other character is invalid in a bucket name, and could turn the name into a command-line option.
case $BUCKET_NAME in
  '') fail "BUCKET_NAME is not set: name the bucket to check." ;;
  *[!a-z0-9.-]* | [.-]* | *[.-]) fail "BUCKET_NAME is not a bucket name: use lower-case letters, digits, dots and hyphens." ;;
esac
if [ "${#BUCKET_NAME}" -lt 3 ] || [ "${#BUCKET_NAME}" -gt 63 ]; then
  fail "BUCKET_NAME must have 3 to 63 characters."
fi
whole_number PORT "$PORT" 1 65535
whole_number CHECK_INTERVAL "$CHECK_INTERVAL" 1 3600
whole_number CHECK_TIMEOUT "$CHECK_TIMEOUT" 1 60
for command in aws python3; do
  command -v "$command" >/dev/null || fail "The image has no $command."
done
if [ ! -d "$PAGES_DIR" ] || [ ! -w "$PAGES_DIR" ]; then
  fail "PAGES_DIR is not a directory that uid $(id -u) can write to: mount a volume there that this user can write to."
fi
cd -- "$PAGES_DIR"
HOME=$PAGES_DIR
TMPDIR=$PAGES_DIR
export BUCKET_NAME PORT CHECK_INTERVAL CHECK_TIMEOUT PAGES_DIR HOME TMPDIR

# -I: import nothing from the working directory, which is writable, and ignore PYTHON* variables.
# The line in the here-document is a placeholder, and a syntax error in Python: without dashboard.py in its place, nothing runs.
exec python3 -I -X utf8 - <<'DASHBOARD_PY'
@dashboard.py@
DASHBOARD_PY
