"""Counts the evaluations that SciPy's L-BFGS-B takes on the problems of package mgh, until a gradient whose largest magnitude is
at most 1e-6 has been seen (0 if that does not happen), and adds gonum's. Needs Go, and Python with SciPy; writes counts.json.

    python counts.py
"""
import json
import os
import subprocess

import numpy as np
import scipy
from scipy.optimize import minimize

here = os.path.dirname(os.path.abspath(__file__))


class Done(Exception):
    pass


def go(*args):
    return subprocess.Popen(["go", "run", ".", *args], cwd=here, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def count(server, name, start):
    evaluations, first = 0, 0

    def fun(x):
        nonlocal evaluations, first
        evaluations += 1
        server.stdin.write(name + " " + " ".join(repr(float(v)) for v in x) + "\n")
        server.stdin.flush()
        f, *g = map(float, server.stdout.readline().split())
        if np.max(np.abs(g)) <= 1e-6:
            first = evaluations
            raise Done
        return f, np.array(g)

    try:
        minimize(fun, start, jac=True, method="L-BFGS-B", options=dict(maxcor=10, ftol=0, gtol=0, maxiter=3000, maxfun=20000))
    except Done:
        pass
    return first


gonum = json.loads(go().communicate()[0])
problems = [line.split() for line in go("list").communicate()[0].splitlines()]
server = go("serve")
counts = {name: dict(gonum=gonum[name], scipy=count(server, name, np.array([float(v) for v in start]))) for name, *start in problems}
server.stdin.close()
server.wait()
with open(os.path.join(here, "..", "..", "..", "testdata", "counts.json"), "w") as f:
    json.dump(dict(scipy=scipy.__version__, gonum="0.17.0", problems=counts), f, indent=1)
    f.write("\n")
