#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh MAKE FOLDER SECONDS TARGET...: builds and runs fuzz targets one after the other, each for so many seconds on top of what earlier
# runs left in FOLDER/corpus; of each one line: executions, edges reached of all there are. What breaks one is kept in FOLDER/found, with
# the log beside it, and run again by `FOLDER/TARGET FILE`.
set -u
make=$1 folder=$2 seconds=$3; shift 3
mkdir -p "$folder/corpus" "$folder/found" "$folder/logs"

tests/setup/need.sh fuzz >"$folder/need.log" 2>&1
if ! echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return !d && n; }' |
     clang -x c -fsanitize=fuzzer,address,undefined -o "$folder/probe" - 2>>"$folder/need.log"; then
    echo "[  SKIPPED ] Not fuzzed: clang's fuzzer runtime is not here and could not be installed ($folder/need.log)."
    exit 0
fi

failed=0
for t in "$@"; do
    log=$folder/logs/$t.log
    if ! $make -s "$folder/$t" >"$log" 2>&1; then
        tail -n 20 "$log"; echo "[  FAILED  ] 1 test: fuzz target $t does not build"; failed=1; continue
    fi
    mkdir -p "$folder/corpus/$t"
    "$folder/$t" --seeds "$folder/corpus/$t" >>"$log" 2>&1
    limit=(-max_total_time="$seconds"); [ "$seconds" != 0 ] || limit=(-runs=0)
    # A target that knows better brings its own options in the environment: FUZZ_ARGS="-max_len=100".
    if nice -n 10 "$folder/$t" "${limit[@]}" -timeout=30 -rss_limit_mb=1500 -print_final_stats=1 -verbosity=1 \
            -artifact_prefix="$folder/found/$t-" ${FUZZ_ARGS:-} "$folder/corpus/$t" >>"$log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
        cov=$(grep -ao 'cov: [0-9]*' "$log" | tail -n 1); all=$(sed -n 's/^INFO: Loaded 1 modules *(\([0-9]*\) inline.*/\1/p' "$log" | tail -n 1)
        printf '%-16s %9s executions, %5s of %5s edges\n' "$t" "$runs" "${cov#cov: }" "$all"
        echo "[  PASSED  ] 1 test"
    else
        tail -n 60 "$log"; echo "[  FAILED  ] 1 test: fuzz target $t; its input is in $folder/found, the log is $log"; failed=1
    fi
done
exit $failed
