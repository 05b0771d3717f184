#!/bin/sh
# Make the development videos while an image is built, and prepare them as a hospital does: /tmp/development/{data,labels}.
set -eu
out=/tmp/development
mkdir -p $out/raw $out/data $out/labels
python3 make_data.py --out $out/raw --development 16
python3 prepare.py prepare --data $out/raw/data --labels $out/raw/labels --parameters parameters.yaml \
  --out-data $out/data --out-labels $out/labels --out-metadata $out/none --report $out/none/report.yaml
