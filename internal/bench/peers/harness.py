"""Shared timing harness of the peer benchmarks; its rules are those of ../measure.go.

A workload is a function args -> dict with `step` (one training step; returns something `sync` can wait for)
and optionally `per` (how many units one step call holds), `flop` (per unit, for GFLOP/s), `loss` (result -> float)
or, for workloads that time themselves, just `record`.
Several workloads are run one process each, so that peak RSS and first-step time belong to one workload alone.
"""
import argparse, json, os, resource, statistics, subprocess, sys, tempfile, time

now = time.perf_counter


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def others_busy(since=None):
    """Share of the machine's cores that OTHER processes used since the mark `since` (or a new mark)."""
    f = [int(v) for v in open("/proc/stat").readline().split()[1:9]]
    total, busy = sum(f), sum(f) - f[3] - f[4]
    own = sum(sum(resource.getrusage(w)[:2]) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) * os.sysconf("SC_CLK_TCK")
    if since is None:
        return total, busy, own
    dt = max(1, total - since[0])
    return max(0.0, (busy - since[1] - (own - since[2])) / dt)


def quietest(sample, tries=2, quiet=0.05):
    """Repeats a sampling until other processes used less than `quiet` of the machine; returns the quietest sample."""
    best = None
    for _ in range(tries):
        m = others_busy(); times = sample(); noise = others_busy(m)
        if best is None or noise < best[1]:
            best = times, noise
        if best[1] < quiet:
            break
    return best


def measure(step, sync, min_reps=5, max_reps=25, budget=1.5, rep_time=0.05):
    """First call apart, then warm-up, then reps of at least rep_time each. Seconds per step call."""
    t = now(); r = step(); sync(r); first = now() - t
    first_result, n, t = r, 0, now()
    one = None
    while n < 3 or (now() - t < 0.4 and n < 100000):
        s = now(); sync(step()); d = now() - s
        one = d if one is None else min(one, d)
        n += 1
    inner, last = max(1, round(rep_time / one)), [None]

    def sample():
        times, cpu, t = [], [], now()
        while len(times) < min_reps or (now() - t < budget and len(times) < max_reps):
            s, c = now(), time.process_time()
            for _ in range(inner):
                last[0] = step()
            sync(last[0])
            times.append((now() - s) / inner); cpu.append((time.process_time() - c) / inner)
        return times, cpu
    (times, cpu), noise = quietest(sample)
    return first, times, cpu, noise, first_result, last[0]


def run_startup(cmd, env=None, reps=5):
    """Wall time and peak RSS of whole processes running cmd; one untimed run first warms the page cache."""
    rss = []

    def one():
        t = now()
        p = subprocess.Popen(cmd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
        _, status, ru = os.wait4(p.pid, 0)
        if status:
            sys.exit(f"startup child failed: {cmd}")
        rss.append(ru.ru_maxrss / 1024)
        return now() - t
    first = one()
    walls, noise = quietest(lambda: [one() for _ in range(reps)], tries=1)
    return dict(median=statistics.median(walls), min=min(walls), max=max(walls), first=first, noise=noise,
                rss=statistics.median(rss), reps=reps)


def solver(solve, reps=5):
    """Times a whole solve() -> (iterations, evaluations, value, gradient norm)."""
    t = now(); r = solve(); first = now() - t

    def sample():
        ts = []
        for _ in range(reps):
            t = now(); solve(); ts.append(now() - t)
        return ts
    c = time.process_time(); ts, noise = quietest(sample, tries=1); c = (time.process_time() - c) / reps
    return dict(median=statistics.median(ts), cpu=c, min=min(ts), max=max(ts), first=first, reps=reps, noise=noise,
                rss=peak_mib(), **dict(zip(("iterations", "evaluations", "value", "gnorm"), r)))


class WithProducts(dict):
    """Workloads by name, and every product-KIND-MxNxK: an m by k matrix times a k by n one, nt with the second transposed, tn with the first."""
    def __init__(self, product, workloads):
        super().__init__(workloads)
        self.product = product

    def __missing__(self, name):
        if not name.startswith("product-"):
            raise KeyError(name)
        _, kind, sizes = name.split("-")
        return self.product(kind, *map(int, sizes.split("x")))


def main(engine, workloads, setup, add_args=lambda p: None):
    p = argparse.ArgumentParser()
    p.add_argument("--workload", default="all")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--mode", choices=["eager", "compile", "compile-step"], default="eager")
    p.add_argument("--json")
    p.add_argument("--limit", type=float, default=150, help="seconds for each workload's process, of several")
    p.add_argument("--precision", choices=["f32", "tf32", "bf16"], default="f32", help="of the operands of products")
    p.add_argument("--device", choices=["cpu", "gpu"], default="cpu")
    add_args(p)
    args = p.parse_args()
    ids = list(workloads) if args.workload == "all" else args.workload.split(",")
    if len(ids) > 1:
        recs = []
        for w in ids:
            out = tempfile.mktemp(suffix=".json")
            argv = [sys.executable] + sys.argv + ["--workload", w, "--json", out]  # argparse: the last one wins
            try:
                ok = subprocess.run(argv, timeout=args.limit).returncode == 0 and os.path.exists(out)
            except subprocess.TimeoutExpired:
                ok = False
            if ok:
                recs += json.load(open(out)); os.unlink(out)
                if args.json:  # after each workload, so that an interrupted run keeps what it has
                    json.dump(recs, open(args.json, "w"), indent=1)
            else:
                print(f"{engine:6} {args.mode:12} t{args.threads} {w:14} FAILED", flush=True)
    else:
        w = ids[0]
        sync, tag = setup(args)
        b = workloads[w](args)
        if b is None:  # a helper workload such as the startup child
            return
        if "record" in b:
            rec = b["record"]
        else:
            base = peak_mib()
            first, times, cpu, noise, r0, r1 = measure(b["step"], sync)
            per = b.get("per", 1)
            times = [t / per for t in times]
            rec = dict(median=statistics.median(times), min=min(times), max=max(times), first=first,
                       cpu=statistics.median(cpu) / per,  # processor time: at 1 thread a check on a busy machine
                       reps=len(times), noise=noise, rss=peak_mib(), rss_before=base)
            if "flop" in b:
                rec["gflops"] = b["flop"] / rec["median"] / 1e9
            if "loss" in b:
                rec["loss_first"], rec["loss_last"] = b["loss"](r0), b["loss"](r1)
        rec = dict(engine=engine, mode=args.mode, threads=args.threads, tag=tag, workload=w, **rec)
        extra = "".join(f" {k}={rec[k]:.4g}" for k in ("gflops", "loss_first", "loss_last", "iterations", "evaluations")
                        if k in rec)
        f = lambda s: f"{s*1e6:9.2f}us" if s < 1e-3 else f"{s*1e3:9.3f}ms"
        print(f"{engine:6} {args.mode:12} t{args.threads} {tag:10} {w:16} median {f(rec['median'])} "
              f"min {f(rec['min'])} max {f(rec['max'])} first {rec['first']*1e3:9.1f}ms cpu {f(rec.get('cpu', 0))} rss {rec['rss']:7.0f}MiB noise {rec.get('noise', 0):4.0%}{extra}",
              flush=True)
        recs = [rec]
    if args.json:
        json.dump(recs, open(args.json, "w"), indent=1)
