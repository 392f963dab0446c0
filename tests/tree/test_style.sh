#!/bin/sh
# Line, function and file length, banned words, headers, stack notes; and that the check can fail.
set -eu
"${PYTHON:-python3}" .ci/tidy.py --self-test
"${PYTHON:-python3}" .ci/tidy.py
