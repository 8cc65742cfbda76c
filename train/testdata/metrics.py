"""Records what scikit-learn says of some predictions, in float64, for the tests of package train.

    python metrics.py > metrics.json

Needs scikit-learn (recorded with 1.9) and SciPy. The calibration error is that of Guo et al. 2017, in NumPy, and the perplexity the
exponential of the log loss. "logits" says whether the scores are logits; of two logits the score of class 1 is their difference.
"""
import json
import warnings

import numpy as np
import sklearn.metrics as M
from scipy.special import expit, softmax

warnings.simplefilter("ignore")  # of precisions of nothing, which are 0
r = np.random.default_rng(5)


def labels(n, shares):
    return r.choice(len(shares), n, p=shares)


def leaning(y, classes, by):
    """Random scores, the higher for the target, rounded so that some are equal."""
    return np.round(r.normal(size=(len(y), classes)) + by * np.eye(classes)[y], 1)


y1, y2, y4 = labels(60, [0.7, 0.3]), labels(50, [0.4, 0.6]), labels(80, [0.1, 0.2, 0.3, 0.4])
y_lost = np.where(y4 == 2, 3, y4)  # no example of class 2, which is predicted
one = np.round(r.normal(size=60) + 2 * y1 - 1, 1)
PROBLEMS = {
    "one logit": (one[:, None], y1, True),
    "one probability": (np.round(expit(one), 3)[:, None], y1, False),
    "two logits": (leaning(y2, 2, 1), y2, True),
    "two probabilities": (softmax(leaning(y2, 2, 1), axis=1), y2, False),
    "four logits": (leaning(y4, 4, 1.5), y4, True),
    "four probabilities": (softmax(leaning(y4, 4, 0.5), axis=1), y4, False),
    "a class that is not there": (leaning(y_lost, 4, 0.5), y_lost, True),
}


def calibration(p, y, bins):
    confidence, right = p.max(1), p.argmax(1) == y
    edges, total = np.linspace(0, 1, bins + 1), 0.0
    for lo, hi in zip(edges[:-1], edges[1:]):
        inside = (confidence > lo) & (confidence <= hi)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return total


def measure(scores, y, logits):
    classes = max(2, scores.shape[1])
    every = range(classes)
    if scores.shape[1] == 1:
        p1 = expit(scores[:, 0]) if logits else scores[:, 0]
        p = np.stack([1 - p1, p1], 1)
        guess = (scores[:, 0] > 0).astype(int)
    else:
        p = softmax(scores, axis=1) if logits else scores
        guess = scores.argmax(1)
    out = {"mcc": M.matthews_corrcoef(y, guess)}
    averages = {"": "macro", "_micro": "micro", "_weighted": "weighted"}
    if classes == 2:
        averages["_binary"] = "binary"
    for suffix, average in averages.items():
        out["precision" + suffix] = M.precision_score(y, guess, average=average)
        out["recall" + suffix] = M.recall_score(y, guess, average=average)
        out["f1" + suffix] = M.f1_score(y, guess, average=average)
        there = sorted(set(y))
        if classes > 2 and len(there) == classes:
            out["roc_auc" + suffix] = M.roc_auc_score(y, p, average=average, multi_class="ovr")
            out["average_precision" + suffix] = M.average_precision_score(np.eye(classes)[y], p, average=average)
    if classes == 2:
        score = scores[:, 1] - scores[:, 0] if logits and scores.shape[1] == 2 else p[:, 1]
        out["roc_auc"] = M.roc_auc_score(y, score)
        out["average_precision"] = M.average_precision_score(y, score)
    for name, weights in {"kappa": None, "kappa_linear": "linear", "kappa_quadratic": "quadratic"}.items():
        out[name] = M.cohen_kappa_score(y, guess, weights=weights, labels=every)
    out["log_loss"] = M.log_loss(y, p, labels=every)
    out["perplexity"] = np.exp(out["log_loss"])
    out["brier"] = M.brier_score_loss(y, p, labels=every)
    out["calibration_error"] = calibration(p, y, 15)
    for k in (1, 2):
        if k < classes and len(set(y)) == classes and scores.shape[1] > 2:
            tied = scores + 1e-9 * np.arange(classes)[::-1]  # among equal scores the first class comes first
            out[f"top_{k}"] = M.top_k_accuracy_score(y, tied, k=k, labels=every)
    out["accuracy"] = M.accuracy_score(y, guess)
    return {name: float(x) for name, x in out.items()}


def main():
    lines = []
    for name, (scores, y, logits) in PROBLEMS.items():
        entry = {"scores": scores.tolist(), "targets": y.tolist(), "logits": logits, "metrics": measure(scores, y, logits)}
        lines.append(f" {json.dumps(name)}: {json.dumps(entry)}")
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main()
