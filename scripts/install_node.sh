#!/bin/sh
# Make sure that Node.js 18 or newer and npm are there for the checks of the browser's
# modules: from the system's own packages.
set -eu
is_there() {
  command -v npm >/dev/null 2>&1 && node -e \
    'const [a, b] = process.versions.node.split("."); process.exit(a > 18 || (a == 18 && b >= 18) ? 0 : 1)' 2>/dev/null
}
if is_there; then exit 0; fi
if command -v apt-get >/dev/null 2>&1; then
  as_root=""
  if [ "$(id -u)" -ne 0 ]; then as_root="sudo"; fi
  $as_root apt-get update -qq
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq nodejs npm >/dev/null
fi
if is_there; then exit 0; fi
echo "Node.js 18.18 or newer with npm is needed to check and bundle the browser's modules." >&2
echo "Install it from https://nodejs.org or with the system's package manager, then try again." >&2
exit 1
