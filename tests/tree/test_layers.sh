#!/bin/sh
# Who includes whom; and that the check can fail.
set -eu
"${PYTHON:-python3}" .ci/layers.py --self-test
"${PYTHON:-python3}" .ci/layers.py
