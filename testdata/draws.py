# Writes draws.json: derivatives of gamma quantiles with respect to the concentration, at fixed probabilities, and distribution functions
# at a few points, by mpmath and SciPy. Run as: python draws.py > draws.json
import json

import mpmath as mp
from scipy import stats

mp.mp.dps = 40


def cdf(a, z):
    return mp.gammainc(a, 0, z, regularized=True)


slopes = []
for a in [0.001, 0.02, 0.3, 1, 1.7, 5, 30, 700, 20000]:
    for q in [1e-3, 0.1, 0.5, 0.9, 0.9999]:
        log_z = stats.gamma(a).ppf(q)
        z = mp.mpf(float(log_z))
        if z < 1e-290:
            continue
        density = mp.exp((a - 1) * mp.log(z) - z - mp.loggamma(a))
        h = mp.mpf(a) * mp.mpf(10) ** -12
        slope = -(cdf(a + h, z) - cdf(a - h, z)) / (2 * h) / density / z
        slopes.append([a, float(mp.log(z)), float(slope)])
# Where z underflows P is z^a/Gamma(a+1) up to rounding.
for a, y in [(0.001, -2000.0), (0.01, -800.0)]:
    slopes.append([a, y, float(-(y - mp.digamma(a + 1)) / a)])

functions = {}
for name, d in {
    "gamma 0.3": stats.gamma(0.3), "gamma 4": stats.gamma(4), "beta 0.5 2": stats.beta(0.5, 2), "beta 3 3": stats.beta(3, 3),
    "poisson 2.5": stats.poisson(2.5), "poisson 40": stats.poisson(40), "poisson 1e6": stats.poisson(1e6),
    "truncated": stats.truncnorm((0.5 - 1) / 2, (4 - 1) / 2, 1, 2), "gumbel": stats.gumbel_r(),
}.items():
    points = sorted(set(float(d.ppf(q)) for q in [0.05, 0.25, 0.5, 0.75, 0.95]))
    functions[name] = [[x, float(d.cdf(x))] for x in points]

print(json.dumps({"slopes": slopes, "functions": functions}, indent=1))
