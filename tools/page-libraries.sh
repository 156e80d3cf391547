#!/usr/bin/env bash
# Fetches the libraries that the HTML page embeds, as npm has them published, into
# provenance/export/page/vendor. Run from the repository's root; it needs npm. What is
# there must be what the sums below say: to take a newer version, change both.
set -euo pipefail
cd "$(dirname "$0")/../provenance/export/page/vendor"

# NAME@VERSION, the file in the package, its SHA-256
libraries=(
	"cytoscape@3.34.4 dist/cytoscape.min.js 081591ab735b2b6a3b31a3c60f8f3a3e2fee8c92939e0c7820ad1208571b6cd8"
	"@dagrejs/dagre@3.1.3 dist/dagre.min.js 54a503e346f93ca0bb10abe7999587e037262935687aca45eb4e4b0f64bbb578"
)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for library in "${libraries[@]}"; do
	read -r package file sum <<<"$library"
	archive=$(cd "$scratch" && npm pack --silent "$package")
	tar -xzf "$scratch/$archive" -C "$scratch"
	echo "$sum  $scratch/package/$file" | sha256sum --check --quiet
	install -m 644 "$scratch/package/$file" "$(basename "$file")"
	install -m 644 "$scratch/package/LICENSE" "$(basename "$file" .min.js).LICENSE"
	rm -rf "$scratch/package"
done
