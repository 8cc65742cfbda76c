"""Writes images.json and images.safetensors: what PyTorch gives for the layers of images and normalizations of package nn.

Run it in an environment that has PyTorch and safetensors: python images.py, in this folder. Each case of images.json holds the
operand x with its channels last, the state_dict, the result with its channels last, the gradient, by x and every parameter,
of the sum of result[i] * cos(i), and the buffers after one forward pass. images.safetensors is the state_dict of a small
network, in float32, and with it an input and the result in evaluation.
"""
import json

import torch
import torch.nn as nn
from safetensors.torch import save_file

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
cases = []


def listing(t):
    return {"shape": list(t.shape), "data": [float("%.12g" % x) for x in t.detach().flatten().tolist()], "int": not t.is_floating_point()}


def normal(*shape):
    return torch.round(torch.randn(*shape) * 1.5, decimals=2)


def last(t):
    return t.movedim(1, -1) if t.dim() > 2 else t


def first(t):
    return t.movedim(-1, 1) if t.dim() > 2 else t


def module(name, m, *shape, train=True, positive=False):
    """Records a module on a random input of the given shape, with its channels last."""
    m = m.double().train(train)
    for p in m.parameters():
        p.data = normal(*p.shape)
    for key, b in m.named_buffers():
        if key.endswith("running_mean"):
            b.copy_(normal(*b.shape))
        if key.endswith("running_var"):
            b.copy_(torch.round(torch.rand(*b.shape) + 0.5, decimals=2))
    x = normal(*shape)
    if positive:
        x = x.abs() + 0.1
    x.requires_grad_()
    case = {"name": name, "in": {"x": listing(x), **{k: listing(v) for k, v in m.state_dict().items()}}}
    out = last(m(first(x)))
    flat = out.flatten()
    (flat * torch.cos(torch.arange(flat.numel(), dtype=torch.float64))).sum().backward()
    case["out"] = listing(out)
    case["grad"] = {"x": listing(x.grad), **{k: listing(p.grad) for k, p in m.named_parameters()}}
    if train:
        case["after"] = {k: listing(b) for k, b in m.named_buffers()}
    cases.append(case)


# Convolutions.
module("Conv1d", nn.Conv1d(3, 2, 3), 2, 6, 3)
module("Conv2d", nn.Conv2d(3, 4, 3), 1, 5, 4, 3)
module("Conv2d without bias", nn.Conv2d(2, 3, (2, 3), bias=False), 2, 3, 4, 2)
module("Conv2d strided and padded", nn.Conv2d(2, 3, 3, stride=2, padding=1), 1, 5, 6, 2)
module("Conv2d padded apart", nn.Conv2d(2, 2, (3, 2), stride=(1, 2), padding=(2, 1)), 1, 3, 4, 2)
module("Conv2d same", nn.Conv2d(2, 2, (3, 2), padding="same"), 1, 4, 4, 2)
module("Conv2d dilated", nn.Conv2d(2, 2, 3, dilation=2, padding=2), 1, 5, 5, 2)
module("Conv2d in groups", nn.Conv2d(4, 6, 3, groups=2, padding=1), 1, 4, 3, 4)
module("Conv2d depthwise", nn.Conv2d(3, 3, 3, groups=3, padding=1, stride=2), 1, 5, 4, 3)
module("Conv2d depthwise multiplied", nn.Conv2d(2, 4, 3, groups=2), 1, 4, 4, 2)
module("Conv3d", nn.Conv3d(2, 2, 2, padding=1, stride=(1, 2, 1)), 1, 2, 3, 3, 2)
module("ConvTranspose1d", nn.ConvTranspose1d(3, 2, 3, stride=2), 2, 4, 3)
module("ConvTranspose2d", nn.ConvTranspose2d(3, 2, 3), 1, 3, 4, 3)
module("ConvTranspose2d with all", nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1, output_padding=1, groups=2, dilation=2), 1, 3, 3, 4)
module("ConvTranspose3d", nn.ConvTranspose3d(2, 2, 2, stride=2), 1, 2, 2, 1, 2)

# Pooling and up-sampling.
module("MaxPool1d", nn.MaxPool1d(2), 2, 5, 2)
module("MaxPool2d", nn.MaxPool2d(2), 1, 4, 6, 3)
module("MaxPool2d with all", nn.MaxPool2d((3, 2), stride=2, padding=1, ceil_mode=True), 1, 6, 5, 2)
module("MaxPool2d dilated", nn.MaxPool2d(2, stride=1, dilation=2), 1, 4, 5, 2)
module("MaxPool3d", nn.MaxPool3d(2), 1, 2, 4, 3, 2)
module("AvgPool1d", nn.AvgPool1d(2), 2, 5, 2)
module("AvgPool2d", nn.AvgPool2d(2), 1, 4, 6, 3)
module("AvgPool2d padded", nn.AvgPool2d(3, stride=2, padding=1), 1, 5, 4, 2)
module("AvgPool2d padded, not counted", nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False), 1, 5, 4, 2)
module("AvgPool2d ceil", nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True), 1, 6, 4, 2)
module("AvgPool2d ceil, not counted", nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False), 1, 6, 4, 2)
module("AvgPool3d", nn.AvgPool3d(2), 1, 2, 4, 3, 2)
module("LpPool2d", nn.LPPool2d(2, 2), 1, 4, 4, 2)
module("LpPool2d of power 3.5", nn.LPPool2d(3.5, 2, stride=1), 1, 3, 3, 2, positive=True)
module("AdaptiveAvgPool1d", nn.AdaptiveAvgPool1d(3), 1, 7, 2)
module("AdaptiveAvgPool2d", nn.AdaptiveAvgPool2d((3, 2)), 1, 5, 5, 2)
module("AdaptiveAvgPool2d even", nn.AdaptiveAvgPool2d(2), 1, 4, 6, 2)
module("GlobalAvgPool", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), 2, 3, 4, 2)
module("GlobalMaxPool", nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()), 2, 3, 4, 2)
module("Upsample", nn.Upsample(scale_factor=2), 1, 2, 3, 2)
module("Upsample linear", nn.Upsample(scale_factor=3, mode="bilinear"), 1, 2, 3, 2)
module("Upsample linear with corners", nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), 1, 2, 3, 2)
module("Upsample of one axis", nn.Upsample(scale_factor=2, mode="linear"), 1, 4, 2)
module("PixelShuffle", nn.PixelShuffle(2), 1, 2, 3, 8)

# Normalizations.
module("BatchNorm1d", nn.BatchNorm1d(3), 5, 3)
module("BatchNorm1d of sequences", nn.BatchNorm1d(3, eps=0.1), 2, 4, 3)
module("BatchNorm2d", nn.BatchNorm2d(3), 2, 3, 2, 3)
module("BatchNorm2d in evaluation", nn.BatchNorm2d(3), 2, 3, 2, 3, train=False)
module("BatchNorm2d of another momentum", nn.BatchNorm2d(2, momentum=0.3), 2, 2, 2, 2)
module("BatchNorm2d averaging", nn.BatchNorm2d(2, momentum=None), 2, 2, 2, 2)
module("BatchNorm2d without weights", nn.BatchNorm2d(2, affine=False), 2, 2, 2, 2)
module("BatchNorm2d without statistics", nn.BatchNorm2d(2, track_running_stats=False), 2, 2, 2, 2, train=False)
module("BatchNorm3d", nn.BatchNorm3d(2), 1, 2, 3, 2, 2)
module("GroupNorm", nn.GroupNorm(2, 4), 2, 3, 2, 4)
module("GroupNorm of vectors", nn.GroupNorm(2, 6, eps=0.1), 2, 6)
module("InstanceNorm2d", nn.InstanceNorm2d(3), 2, 3, 2, 3)
module("InstanceNorm2d affine", nn.InstanceNorm2d(3, affine=True), 2, 3, 2, 3)
module("RMSNorm", nn.RMSNorm(4), 3, 4)
module("RMSNorm with eps", nn.RMSNorm(4, eps=0.1), 3, 4)
module("WeightNorm", nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)), 2, 3)
module("WeightNorm of a convolution", nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 3, 2)), 1, 3, 3, 2)
module("SpectralNorm", nn.utils.parametrizations.spectral_norm(nn.Linear(3, 4)), 2, 3)
module("SpectralNorm in evaluation", nn.utils.parametrizations.spectral_norm(nn.Conv2d(2, 3, 2)), 1, 3, 3, 2, train=False)

with open("images.json", "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")

# A network whose weights are loaded from the file that PyTorch saves.
torch.set_default_dtype(torch.float32)
torch.manual_seed(1)
net = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
                    nn.Conv2d(4, 3, 2), nn.ReLU(), nn.ConvTranspose2d(3, 2, 2, stride=2), nn.Flatten(), nn.Linear(2 * 2 * 4, 5))
for _ in range(3):
    net(torch.randn(4, 2, 4, 6) * 2 + 1)
net.eval()
x = torch.randn(2, 2, 4, 6)
save_file({**net.state_dict()}, "images.safetensors")
with torch.no_grad():
    save_file({"x": x, "y": net(x)}, "images_xy.safetensors")
