#!/bin/bash
# make check: installs what is missing, then builds and tests everything (tests/tools/check.py).
cd "$(dirname "$0")/../.." || exit 1
unset MAKEFLAGS MFLAGS MAKELEVEL
if ! tests/tools/deps.sh check; then
	echo "0 passed, 1 failed"
	exit 1
fi
exec /usr/bin/python3 tests/tools/check.py "$@"
