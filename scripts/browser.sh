#!/usr/bin/env bash
# Opens pages in a headless Chromium without network: scripts/browser.sh [PAGE.html…], by default the page of
# `bptt flow`. Fails if the browser sees other headings, pictures or tables than the file has, a picture without an area,
# or an address to fetch, or reports an error.
# (tests/program/page.rs checks every page without a browser.) Exit code 2 where there is no browser.
set -euo pipefail
browser=
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then browser=$name; break; fi
done
if [ -z "$browser" ]; then
    echo "no browser here: apt-get install chromium" >&2
    exit 2
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pages=("$@")
if [ $# -eq 0 ]; then
    cd "$(dirname "$0")/.."
    cargo run --release --quiet -- flow --cell elman,lstm --time 30 --out "$work" >/dev/null
    pages=("$work/flow.html")
fi
# What the browser sees, written in place of the page: elements, pictures without an area, addresses asked for.
script='<script>addEventListener("load", () => {
    const all = (name) => [...document.querySelectorAll(name)];
    const seen = ["h1", "h2", "svg", "table", "audio"].map((name) => name + " " + all(name).length);
    const flat = all("svg").filter((svg) => svg.getBoundingClientRect().height < 50).length;
    const asked = performance.getEntriesByType("resource").filter((entry) => !entry.name.startsWith("data:"));
    document.body.textContent = "(" + seen.join(", ") + ", flat " + flat + ", asked " + asked.length + ")";
});</script>'
count() { { grep -o "</$1>" "$2" || true; } | wc -l; }
for page in "${pages[@]}"; do
    { cat "$page"; echo "$script"; } >"$work/page.html"
    "$browser" --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking \
        --disable-component-update --disable-sync --host-resolver-rules="MAP * ~NOTFOUND" \
        --user-data-dir="$work/profile" --window-size=390,3000 --enable-logging=stderr --dump-dom \
        "file://$work/page.html" >"$work/dom" 2>"$work/log"
    expected="("
    for name in h1 h2 svg table audio; do expected+="$name $(count $name "$page"), "; done
    expected+="flat 0, asked 0)"
    found=$(grep -o '([^()]*asked [0-9]*)' "$work/dom" || true)
    if [ "$found" != "$expected" ]; then
        echo "$page: the browser sees $found, the file has $expected" >&2
        exit 1
    fi
    if grep "CONSOLE" "$work/log" >&2; then
        echo "$page: the browser reports an error" >&2
        exit 1
    fi
    echo "$page: $found"
done
