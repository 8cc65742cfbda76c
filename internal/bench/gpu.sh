#!/usr/bin/env bash
# usage: internal/bench/gpu.sh pack FILE
#        gpu.sh run [--engine NAME] [--python PYTHON] [--seconds N] [--workloads "NAME/PRECISION..."] [--tests "PACKAGE PATTERN"] OUT
#
# Measures and tests Tarn on a machine with a GPU on which nothing can be built. pack makes an archive (tar, xz) of what travels: the command
# and the tests as binaries, and the data that the tests read. Unpacked there, run takes the plugin of that machine's own JAX and
#
#   1. measures workloads in f32, tf32 and bf16 by Tarn, PyTorch (eager, compiled) and JAX, one after the other on the same card, those with a target first,
#      for two thirds of the time (--seconds, 540);
#   2. runs the op table, the goldens, layers and optimizers on it, in several processes, until the time is over.
#
# A Python that has no peers makes it measure Tarn alone.
# It writes table.md, with a table and what the tests say, and logs.tar.gz into OUT. What the time did not suffice for is named. The default engine is
# pjrt:cuda; with --engine pjrt:cpu it all runs on XLA's plugin for CPUs, which tests this script.
set -euo pipefail

pack() {
	local file
	file=$(realpath -m "$1")
	cd "$(dirname "$0")/../.."
	stage=$(mktemp -d)
	trap 'rm -rf "$stage"' EXIT
	export CGO_ENABLED=0 GOOS=linux GOARCH=amd64
	mkdir -p "$stage"/{root,nn,optim,pjrt}
	go build -tags pjrt -ldflags '-s -w' -o "$stage/tarn" ./cmd/tarn
	for package in root nn optim pjrt; do
		dir=$package
		[ $package != root ] || dir=.
		go test -tags pjrt -ldflags '-s -w' -c -o "$stage/$package/test" "./$dir"
		[ ! -d "$dir/testdata" ] || cp -r "$dir/testdata" "$stage/$package/"
	done
	cp internal/bench/gpu.sh "$stage/"
	tar -C "$stage" -cf - . | xz -T0 -6 >"$file"
	ls -l "$file"
}

run() {
	local engine=pjrt:cuda python=python3 seconds=540 out
	local workloads="mlp-mnist/f32 gpt-base/bf16 gpt-base/tf32 mlp-small/f32 resnet20/tf32 gpt-small/bf16 mlp-mnist/bf16 lstm/f32 gpt-base/f32"
	local name precision
	for name in cnn-mnist gpt-small gemm-2048 resnet20 mlp-mnist gpt-mini lstm layernorm softmax-xent elementwise hvp gemm-512 linreg; do
		for precision in f32 tf32 bf16; do
			[[ " $workloads " == *" $name/$precision "* ]] || workloads+=" $name/$precision"
		done
	done
	# Each runs in a process of its own. A test of the repository expects each word to be in the name of a test of the package.
	local tests=(
		'root OnPlugin'
		'root EqualsPyTorch|EqualPyTorch'
		'root TestPlainOutputs|TestAssignPlain|TestOwnMemoryAsInput|TestFailedRun|TestSharedParam'
		'nn Goldens|LossGradients|OnPlugin'
		'optim EqualPyTorch|EqualsReference|EqualReferences'
		'pjrt Residence|Upload|WrongContents|TrainingEqualsCPU|Checkpoints|Allocations|RandomGraphs'
	)
	while [ $# -gt 1 ]; do
		case $1 in
		--engine) engine=$2 ;;
		--python) python=$2 ;;
		--seconds) seconds=$2 ;;
		--workloads) workloads=$2 ;;
		--tests) tests=("$2") ;;
		*) usage ;;
		esac
		shift 2
	done
	[ $# = 1 ] || usage
	mkdir -p "$1"
	out=$(realpath "$1")
	cd "$(dirname "$0")"
	begin=$SECONDS
	left() { echo $((begin + $1 - SECONDS)); }
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	export TARN_ENGINE=
	unset TARN_ENGINE

	# The plugin lies beside the JAX of this Python.
	if [ "${engine#pjrt:cuda}" != "$engine" ] && [ -z "${TARN_PJRT_PLUGIN:-}" ]; then
		TARN_PJRT_PLUGIN=$("$python" -c '
import importlib.util, os, sys
for name in "xla_cuda13", "xla_cuda12":
    spec = importlib.util.find_spec("jax_plugins." + name)
    for folder in spec.submodule_search_locations if spec else []:
        if os.path.exists(folder + "/xla_cuda_plugin.so"):
            sys.exit(print(folder + "/xla_cuda_plugin.so"))
sys.exit("this Python has no jax_plugins.xla_cuda12 or xla_cuda13: pip install \"jax[cuda12]\"")')
		export TARN_PJRT_PLUGIN
	fi
	{
		date -u
		nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null || grep -m1 'model name' /proc/cpuinfo
		echo "engine $engine, plugin ${TARN_PJRT_PLUGIN:-that is found}"
		./tarn --version
	} | tee "$work/machine.txt"
	timeout 120 ./tarn bench --once mlp-small --engine "$engine" 2>"$work/first.log" || { tail -5 "$work/first.log"; exit 1; }

	# Measure, until two thirds of the time are gone.
	local peers=
	if "$python" -c 'import jax, optax' 2>/dev/null || "$python" -c 'import torch' 2>/dev/null; then
		peers=$python
	else
		echo "$python has neither JAX with Optax nor PyTorch: Tarn alone is measured" | tee -a "$work/machine.txt"
	fi
	skipped=
	for pair in $workloads; do
		workload=${pair%/*} precision=${pair#*/}
		if [ "$(left $((seconds * 2 / 3)))" -lt 20 ]; then
			skipped+=" $pair"
			continue
		fi
		folder=$work/$precision/$workload
		mkdir -p "$folder"
		measure=(timeout "$(left $((seconds * 2 / 3)))" ./tarn bench "$workload" --engine "$engine" --precision "$precision")
		if [ -n "$peers" ]; then # the report has what there is when the time is gone
			"${measure[@]}" --peers "$peers" --out "$folder" >"$folder/out" 2>>"$work/bench.log" || skipped+=" $pair"
			sed -n "s/^$workload: /$precision &/p" "$folder/out"
		else
			"${measure[@]}" --json 2>>"$work/bench.log" >"$folder/alone.json" || skipped+=" $pair"
		fi
	done

	# Test, until the time is gone.
	for i in "${!tests[@]}"; do
		(
			read -r package pattern <<<"${tests[i]}"
			cd "$package"
			export TARN_PJRT_PLUGIN=${TARN_PJRT_PLUGIN:-${engine#pjrt:}}
			[ "$package" = pjrt ] || export TARN_ENGINE=$engine
			timeout "$(left "$seconds")" ./test -test.v -test.short -test.run "$pattern" >"$work/$i.$package.log" 2>&1 || true
		) &
	done
	wait

	"$python" - "$work" "$skipped" >"$out/table.md" <<'PYTHON'
import glob, json, os, re, sys
work, skipped = sys.argv[1:]
print("# Tarn on an accelerator\n\n```\n" + open(work + "/machine.txt").read() + "```\n")
engines, rows, versions = [], {}, {}
for name in sorted(glob.glob(work + "/*/*/*.json"), key=os.path.getmtime):
    precision, workload = name.split("/")[-3:-1]
    if name.endswith("alone.json"):
        results = [{"engine": "Tarn"} | json.loads(line) for line in open(name)]
    else:
        report = json.load(open(name))
        results = report["results"]
        versions.update({k: v for k, v in report["versions"].items() if k != "precision of products"})
    for r in results:
        if r["engine"] not in engines:
            engines.append(r["engine"])
        rows.setdefault((workload, precision), {})[r["engine"]] = r.get("median_us")
print("Median of a step in microseconds; in brackets the time over Tarn's, above 1 where Tarn is faster.\n")
print("| workload | precision | " + " | ".join(engines) + " |\n| --- | --- |" + " ---: |" * len(engines))
for (workload, precision), row in rows.items():
    own, cells = row.get(engines[0]), []
    for e in engines:
        us = row.get(e)
        cells.append("-" if not us else f"{us:.4g}" if e == engines[0] or not own else f"{us:.4g} ({us / own:.2f})")
    print(f"| {workload} | {precision} | " + " | ".join(cells) + " |")
if versions:
    print("\nVersions: " + ", ".join(f"{k} {v}" for k, v in sorted(versions.items())) + ".")
if skipped:
    print("\nNot measured, for want of time or by an error that logs.tar.gz has:" + skipped + ".")
print("\n## Tests\n\n| tests | passed | failed | skipped | ended |\n| --- | ---: | ---: | ---: | --- |")
failed = []
for name in sorted(glob.glob(work + "/*.*.log")):
    package, text = ".".join(name.split("/")[-1].split(".")[:2]), open(name).read()
    count = lambda word: len(re.findall(rf"^ *--- {word}: ", text, re.M))
    print(f"| {package} | {count('PASS')} | {count('FAIL')} | {count('SKIP')} | {'yes' if re.search(r'^(PASS|FAIL)$', text, re.M) else 'no'} |")
    failed += [f"{package}: {name}" for name in re.findall(r"^ *--- FAIL: (\S+)", text, re.M)]
print("\n" + "\n".join("- " + f for f in failed) if failed else "\nNone failed.")
PYTHON
	tar -C "$work" -czf "$out/logs.tar.gz" .
	cat "$out/table.md"
}

usage() {
	sed -n '2,3s/^# *//p' "$0" >&2
	exit 2
}

command=${1:-}
[ $# -lt 2 ] || shift
case $command in
pack) pack "$1" ;;
run) run "$@" ;;
*) usage ;;
esac
