#!/usr/bin/env bash
# Runs targets one after the other, each for so many seconds of processor time (behind other work they take longer), and goes on
# where the campaign before stopped: corpora, what was found and the output of the fuzzer are in a folder, and a line for each
# campaign in its log.md.
#
#     setsid nice -n 19 fuzz/campaign.sh /work/campaign/fuzz 1200 compile run import arguments stdin &
#
# The targets must have been built, as README.md says.
set -euo pipefail

folder=$(mkdir -p "$1" && cd "$1" && pwd)
seconds=$2
shift 2
cd "$(dirname "${BASH_SOURCE[0]}")/.."
built=fuzz/target/x86_64-unknown-linux-gnu/release

# Longest inputs: as long as the seeds need to be, since shorter ones are tried more often.
declare -A longest=([compile]=4096 [run]=256 [import]=400000 [arguments]=64 [stdin]=1024)

for target in "$@"; do
    [ -d "fuzz/seeds/$target" ] || { echo "fuzz/seeds/$target is missing: run fuzz/seeds.sh first" >&2; exit 1; }
done

# Builds of others come first.
echo 19 > /proc/self/autogroup || true
# Built again while a campaign runs, a target would be another one in the middle of it.
binaries=$(mktemp -d)
trap 'rm -rf "$binaries"' EXIT
cp $(printf "$built/%s " "$@") "$binaries"

log=$folder/log.md
[ -e "$log" ] || printf '| end (UTC) | target | processor seconds | executions | coverage, at first and at the end | findings |\n|-|-|-|-|-|-|\n' > "$log"
for target in "$@"; do
    mkdir -p "$folder/$target" "$folder/artifacts" "$folder/output"
    output=$folder/output/$target.$(date -u +%m%d-%H%M%S)
    used=0 executions=0 found=0 first= last= tries=0
    # Whatever is found ends the fuzzer, which then goes on with another seed of its random numbers.
    while [ $((seconds - used)) -gt 10 ] && [ "$tries" -lt 50 ]; do
        tries=$((tries + 1)) now=0
        "$binaries/$target" "$folder/$target" "fuzz/seeds/$target" -max_len="${longest[$target]}" -rss_limit_mb=4096 \
            -timeout=60 -print_final_stats=1 -artifact_prefix="$folder/artifacts/$target." > "$output.$tries" 2>&1 &
        fuzzer=$!
        while sleep 2 && time=$(ps -o cputimes= -p "$fuzzer"); do
            now=$((time))
            # Interrupted, it prints its statistics and ends well.
            [ $((used + now)) -lt "$seconds" ] || kill -INT "$fuzzer"
        done
        # 72 is what it says when it is interrupted.
        wait "$fuzzer" || [ $? -eq 72 ] || found=$((found + 1))
        used=$((used + now))
        count=$(sed -n 's/^stat::number_of_executed_units: //p' "$output.$tries")
        executions=$((executions + ${count:-0}))
        first=${first:-$(sed -n 's/.*INITED cov: \([0-9]*\).*/\1/p' "$output.$tries" | head -1)}
        last=$(sed -n 's/.* cov: \([0-9]*\).*/\1/p' "$output.$tries" | tail -1)
    done
    printf '| %s | %s | %s | %s | %s, %s | %s |\n' "$(date -u +'%F %H:%M')" "$target" "$used" \
        "$executions" "${first:-?}" "${last:-?}" "$found" >> "$log"
done
