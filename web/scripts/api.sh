#!/bin/sh
# Writes openapi.json from the metadata service and schema.d.ts from openapi.json.
# With --check nothing is written; it fails when the committed files differ.
set -eu
cd "$(dirname "$0")/.."
python="${PYTHON:-../.venv/bin/python}"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$python" scripts/dump_openapi.py > "$out/openapi.json"
npx --no-install openapi-typescript "$out/openapi.json" --default-non-nullable=false --output "$out/schema.d.ts" > "$out/log" || { cat "$out/log"; exit 1; }
if [ "${1:-}" = "--check" ]; then
    diff -u openapi.json "$out/openapi.json" && diff -u src/api/schema.d.ts "$out/schema.d.ts"
    echo "openapi.json and schema.d.ts fit the service"
else
    cp "$out/openapi.json" openapi.json
    cp "$out/schema.d.ts" src/api/schema.d.ts
fi
