"""Trains a network of PyTorch on the digits 0 to 4, and writes its weights in half precision to body.safetensors.

    python body.py    needs torch and safetensors, and the files of data/mnist
"""
import gzip
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

here = pathlib.Path(__file__).parent
mnist = here.parents[2] / "data" / "mnist"


def read(name, header):
    return torch.frombuffer(bytearray(gzip.decompress((mnist / name).read_bytes())[header:]), dtype=torch.uint8)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.MaxPool2d(2))
        self.fc = nn.Linear(16 * 5 * 5, 32)
        self.head = nn.Linear(32, 5)

    def forward(self, x):
        return self.head(F.relu(self.fc(self.features(x).flatten(1))))


torch.manual_seed(1)
x = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28) / 255
y = read("train-labels-idx1-ubyte.gz", 8).long()
x, y = x[y < 5], y[y < 5]
net = Net()
opt = torch.optim.Adam(net.parameters(), 2e-3)
for epoch in range(4):
    for part in torch.randperm(len(x)).split(64):
        loss = F.cross_entropy(net(x[part]), y[part])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(f"epoch {epoch + 1}  loss of the last batch {loss.item():.4f}")
save_file({name: w.half().contiguous() for name, w in net.state_dict().items()}, here / "body.safetensors")
