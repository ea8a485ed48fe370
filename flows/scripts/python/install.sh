#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Install packages into a Python environment, which is made if it is not there:
#
#   flows/scripts/python/install.sh ENVIRONMENT [OPTION ...] PACKAGE ...
#
# The options are those of `pip install`. Where uv is on the path it does the work: in a fraction of
# the time, and environments share their files. Else pip does, and where uv fails.
set -euo pipefail

environment=$1
shift
python=${PYTHON:-python3}

by_pip() {
  [ -x "$environment/bin/pip" ] || "$python" -m venv "$environment"
  # Only what is used is compiled, at its first use.
  "$environment/bin/pip" install --quiet --disable-pip-version-check --no-compile "$@"
}

configured=$("$python" -m pip config list 2>/dev/null) || true
# as_pip VARIABLE SETTING [SEPARATOR]: uv reads nothing of pip's settings, so it is told this one.
# pip's variables come before its files, and there `pip install` before all commands.
as_pip() {
  local section value
  for section in :env: install global; do
    value=$(sed -n "s/^$section\.$2='\(.*\)'\$/\1/p" <<<"$configured")
    value=$(xargs -n 1 <<<"${value//\\n/ }" | paste -sd "${3:- }")
    [ -z "$value" ] || break
  done
  [ -z "$value" ] || export "$1=${!1:-$value}"
}

by_uv() {
  as_pip UV_DEFAULT_INDEX index-url
  as_pip UV_INDEX extra-index-url
  as_pip UV_FIND_LINKS find-links ,
  as_pip UV_CONSTRAINT constraint
  as_pip UV_INSECURE_HOST trusted-host
  as_pip SSL_CERT_FILE cert
  export UV_INDEX_STRATEGY=unsafe-best-match # the best version of all indexes, as pip has it
  local indexes=() words=()
  while [ $# -gt 0 ]; do
    case $1 in
      --retries) export UV_HTTP_RETRIES=$2 && shift ;;
      --extra-index-url) indexes+=("$1" "$2") && shift ;;
      *) words+=("$1") ;;
    esac
    shift
  done
  if ! [ -x "$environment/bin/python" ]; then
    # --seed: with pip, which people expect in an environment.
    uv venv --quiet --clear --seed --python "$("$python" -c 'import sys; print(sys.executable)')" \
      "$environment" || return
  fi
  local install=(uv pip install --quiet --python "$environment")
  # An index that does not answer is an error for uv, and no more than a warning for pip.
  "${install[@]}" ${indexes[@]+"${indexes[@]}"} "${words[@]}" ||
    { [ ${#indexes[@]} -gt 0 ] && "${install[@]}" "${words[@]}"; }
}

if ! command -v uv >/dev/null || ! by_uv "$@"; then
  by_pip "$@"
fi
