#!/bin/sh
# Draw development radiographs and prepare them as a site would; runs while a model's image is built, in /app.
set -eu
python3 make_data.py --development /tmp/raw
for raw in /tmp/raw/*; do
  to=/tmp/development/${raw##*/}
  mkdir -p "$to/data" "$to/labels"
  python3 prepare.py prepare --data "$raw" --labels "$raw" --parameters parameters.yaml \
    --out-data "$to/data" --out-labels "$to/labels" --report "$to/report.yaml"
done
rm -r /tmp/raw
