"""Writes recurrent.json: what PyTorch gives for recurrent networks and the CTC loss, in float64.

Run it in an environment that has PyTorch: python recurrent.py > recurrent.json. Each case holds its operands, the state_dict of
the module, the results and the gradient, by every float operand and weight, of the sum over the results, joined, of result[i] *
cos(i). The Go tests build the same case by its name. Gradients of CTC are by the scores before the log-softmax.
"""
import json

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
cases = []


def listing(t):
    return {"shape": list(t.shape), "data": [float("%.12g" % x) for x in t.detach().flatten().tolist()], "int": not t.is_floating_point()}


def case(name, f, module=None, **operands):
    """Records the results of f of the operands, with random weights of the module."""
    weights = {}
    if module is not None:
        for key, p in module.named_parameters():
            with torch.no_grad():
                p.copy_(torch.round(torch.randn_like(p) * 0.6, decimals=2))
            weights[key] = p
    every = {**operands, **weights}
    for t in every.values():
        if t.is_floating_point():
            t.requires_grad_(True)
            t.grad = None
    results = f(**operands)
    flat = torch.cat([r.flatten() for r in results.values()])
    factors = torch.cos(torch.arange(flat.numel(), dtype=torch.float64))
    (torch.where(flat.isfinite(), flat, 0) * factors).sum().backward()
    cases.append({
        "name": name,
        "in": {k: listing(t) for k, t in every.items()},
        "results": {k: listing(r) for k, r in results.items()},
        "grad": {k: listing(t.grad) for k, t in every.items() if t.is_floating_point()},
    })


def normal(*shape):
    return torch.round(torch.randn(*shape), decimals=2)


def network(m, x, h=None, c=None, lengths=None):
    first = m.batch_first
    state = None if h is None else (h if c is None else (h, c))
    if lengths is not None:
        packed = pack_padded_sequence(x, lengths, batch_first=first, enforce_sorted=False)
        y, last = m(packed, state)
        y, _ = pad_packed_sequence(y, batch_first=first, total_length=x.shape[1 if first else 0])
    else:
        y, last = m(x, state)
    if isinstance(last, tuple):
        return {"y": y, "h": last[0], "c": last[1]}
    return {"y": y, "h": last}


def recurrent(name, m, *more, t=4, n=3):
    directions = 2 if m.bidirectional else 1
    operands = {"x": normal(n, t, m.input_size) if m.batch_first else normal(t, n, m.input_size)}
    if "states" in more:
        operands["h"] = normal(m.num_layers * directions, n, m.hidden_size)
        if isinstance(m, nn.LSTM):
            operands["c"] = normal(m.num_layers * directions, n, m.hidden_size)
    if "lengths" in more:
        operands["lengths"] = torch.tensor([2, 4, 1])
    case(name, lambda **o: network(m, **o), m, **operands)


for kind in (nn.RNN, nn.LSTM, nn.GRU):
    k = kind.__name__
    recurrent(k, kind(2, 3, batch_first=True))
    recurrent(k + " time first", kind(2, 3), "states")
    recurrent(k + " without bias", kind(2, 3, bias=False, batch_first=True))
    recurrent(k + " of two layers", kind(2, 3, 2, batch_first=True), "states")
    recurrent(k + " both ways", kind(2, 3, 2, bidirectional=True, batch_first=True), "states")
    recurrent(k + " with lengths", kind(2, 3, 2, bidirectional=True, batch_first=True), "states", "lengths")
    recurrent(k + " of one step", kind(2, 3, batch_first=True), t=1, n=1)
recurrent("RNN with ReLU", nn.RNN(2, 3, nonlinearity="relu", batch_first=True), "states")


def ctc(name, scores, targets, inputs, labels, **options):
    case(name, lambda scores, targets, inputs, labels: {"loss": F.ctc_loss(F.log_softmax(scores, 2), targets, inputs, labels, **options)},
         scores=scores, targets=torch.tensor(targets), inputs=torch.tensor(inputs), labels=torch.tensor(labels))


words = [[1, 2, 2], [3, 1, 3], [2, 2, 1]]  # equal neighbors need a blank between
ctc("CTC", normal(6, 3, 4), words, [6, 6, 6], [3, 3, 3])
ctc("CTC sum", normal(6, 3, 4), words, [6, 5, 4], [3, 2, 1], reduction="sum")
ctc("CTC none", normal(6, 3, 4), words, [6, 5, 4], [3, 2, 0], reduction="none")
ctc("CTC with another blank", normal(5, 2, 4), [[0, 1], [2, 2]], [5, 4], [2, 2], blank=3)
ctc("CTC that does not fit", normal(4, 2, 4), [[1, 1, 1], [2, 3, 0]], [4, 4], [3, 2], reduction="none", zero_infinity=True)
ctc("CTC of one step", normal(1, 2, 3), [[1], [2]], [1, 1], [1, 1])

print("[")
print(",\n".join(json.dumps(c, separators=(",", ":")) for c in cases))
print("]")
