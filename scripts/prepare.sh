# Sourced by the scripts beside it: the pinned tools on PATH, dependencies as the lockfile has them, a fresh build.
# shellcheck shell=bash
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
PATH="$root/node_modules/.bin:$PATH"
export PATH

say() { printf '%s\n' "$*" >&2; }
die() { say "$1"; exit "${2:-1}"; }

# Two scripts started together must not install or build into each other. Waits for its turn where flock exists.
alone() {
  local name=$1
  shift
  mkdir -p .cache
  if command -v flock >/dev/null; then
    # The lock goes with its descriptor, which children (a node left running) must not inherit.
    (
      flock 9
      "$@" 9>&-
    ) 9>".cache/$name.lock"
  else
    "$@"
  fi
}

lock_stamp() { printf '%s %s %s\n' "$(cksum <package-lock.json)" "$(uname -s)" "$(uname -m)"; }

install_dependencies() {
  if [ "$(cat node_modules/.onehop-lock 2>/dev/null)" = "$(lock_stamp)" ]; then return; fi
  command -v npm >/dev/null || die 'npm is not here. onehop needs git and Node 20 or later with npm to set itself up: https://nodejs.org' 2
  say 'Installing dependencies (npm ci) ...'
  npm ci --loglevel=error --no-update-notifier >&2 || die 'npm ci failed; see above. Is the npm registry within reach?'
  lock_stamp >node_modules/.onehop-lock
}

sources_stamp() {
  find protocol storage daemon client cli scripts/build.ts package.json package-lock.json tsconfig.json tsconfig.build.json \
    -type f -exec cksum {} + | sort -k3 | cksum
}

build_sources() {
  if [ -f dist/cli/bin.js ] && [ "$(cat .cache/built 2>/dev/null)" = "$(sources_stamp)" ]; then return; fi
  say 'Building ...'
  local stamp
  stamp=$(sources_stamp)
  node scripts/build.ts >&2 || die 'The build failed; see above.'
  printf '%s\n' "$stamp" >.cache/built
}

prepare_dependencies() { alone install install_dependencies; }
prepare_build() { alone build build_sources; }
