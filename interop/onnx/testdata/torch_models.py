"""Writes models that torch.onnx.export makes, with inputs and PyTorch's answers for another batch than the one they were traced with, into torch.tar.gz."""
import gzip, io, tarfile, tempfile, warnings, logging, os

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
import torch.nn.functional as F


class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.c2, self.b2 = nn.Conv2d(8, 12, 3, stride=2), nn.BatchNorm2d(12)
        self.out = nn.Linear(12, 5)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.b1(self.c1(x))), 2)
        x = F.leaky_relu(self.b2(self.c2(x)), 0.1)
        return self.out(F.adaptive_avg_pool2d(x, 1).flatten(1))


class Block(nn.Module):
    def __init__(self, i, o, s):
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(i, o, 3, s, 1, bias=False), nn.BatchNorm2d(o)
        self.c2, self.b2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.down = nn.Sequential(nn.Conv2d(i, o, 1, s, bias=False), nn.BatchNorm2d(o)) if s > 1 or i != o else None

    def forward(self, x):
        y = self.b2(self.c2(F.relu(self.b1(self.c1(x)))))
        return F.relu(y + (x if self.down is None else self.down(x)))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.blocks = nn.Sequential(Block(8, 8, 1), Block(8, 16, 2), Block(16, 24, 2))
        self.fc = nn.Linear(24, 10)

    def forward(self, x):
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(self.blocks(self.stem(x)), 1), 1))


class LSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        self.lstm = nn.LSTM(8, 12, num_layers=2, batch_first=True, bidirectional=True)
        self.out = nn.Linear(24, 3)

    def forward(self, ids):
        y, (h, c) = self.lstm(self.embed(ids))
        return self.out(y[:, -1]), h


class GRU(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 9, batch_first=True)

    def forward(self, x):
        return self.gru(x)[0]


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, activation="gelu")
        self.enc = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x):
        return self.enc(x).mean(1)


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok, self.pos = nn.Embedding(30, 16), nn.Embedding(32, 16)
        self.ln1, self.ln2, self.lnf = nn.LayerNorm(16), nn.LayerNorm(16), nn.LayerNorm(16)
        self.qkv, self.proj = nn.Linear(16, 48), nn.Linear(16, 16)
        self.up, self.down = nn.Linear(16, 64), nn.Linear(64, 16)
        self.head = nn.Linear(16, 30, bias=False)
        self.head.weight = self.tok.weight

    def forward(self, ids):
        b, t = ids.shape
        x = self.tok(ids) + self.pos(torch.arange(t))
        q, k, v = self.qkv(self.ln1(x)).split(16, dim=2)
        q, k, v = (z.view(b, t, 4, 4).transpose(1, 2) for z in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).reshape(b, t, 16))
        x = x + self.down(F.gelu(self.up(self.ln2(x)), approximate="tanh"))
        return self.head(self.lnf(x))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        two = lambda i, o: nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.GroupNorm(2, o), nn.SiLU(), nn.Conv2d(o, o, 3, padding=1), nn.ReLU())
        self.a, self.b, self.c = two(1, 4), two(4, 8), two(8, 8)
        self.up1, self.d1 = nn.ConvTranspose2d(8, 8, 2, 2), two(16, 8)
        self.d2, self.out = two(12, 4), nn.Conv2d(4, 2, 1)

    def forward(self, x):
        a = self.a(x)
        b = self.b(F.max_pool2d(a, 2))
        c = self.c(F.avg_pool2d(b, 2))
        x = self.d1(torch.cat([self.up1(c), b], 1))
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return self.out(self.d2(torch.cat([x, a], 1)))


mlp = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 16), nn.Tanh(), nn.Dropout(0.3), nn.Linear(16, 3), nn.Softmax(-1))
ids = lambda *s: torch.randint(0, 20, s)
models = {
    "mlp": (mlp, lambda n: torch.randn(n, 6)),
    "cnn": (CNN(), lambda n: torch.randn(n, 3, 16, 16)),
    "resnet": (ResNet(), lambda n: torch.randn(n, 3, 32, 32)),
    "lstm": (LSTM(), lambda n: ids(n, 7)),
    "gru": (GRU(), lambda n: torch.randn(n, 6, 5)),
    "encoder": (Encoder(), lambda n: torch.randn(n, 5, 16)),
    "gpt": (GPT(), lambda n: ids(n, 8)),
    "unet": (UNet(), lambda n: torch.randn(n, 1, 16, 16)),
}


def main():
    torch.manual_seed(1)
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "torch.tar.gz"), "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as z, tarfile.open(fileobj=z, mode="w") as tar:
        for name, (model, make) in models.items():
            for p in model.parameters():
                nn.init.normal_(p, 0, 0.3)
            for m in model.modules():
                if isinstance(m, nn.BatchNorm2d):
                    nn.init.normal_(m.running_mean, 0, 0.2)
                    nn.init.uniform_(m.running_var, 0.5, 2)
            model.eval()
            for kind in ("dynamo", "script"):
                with tempfile.TemporaryDirectory() as d:
                    path = os.path.join(d, "m.onnx")
                    x = make(2)
                    try:
                        if kind == "dynamo":
                            torch.onnx.export(model, (x,), path, dynamo=True, dynamic_shapes=({0: torch.export.Dim("batch")},), external_data=False, verbose=False)
                        else:
                            torch.onnx.export(model, (x,), path, dynamo=False, opset_version=17, input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "n"}, "y": {0: "n"}})
                    except Exception as e:
                        print(name, kind, "not exported:", str(e)[:200])
                        continue
                    m = onnx.load(path)
                    for n in list(m.graph.node) + [n for f in m.functions for n in f.node]:
                        n.ClearField("doc_string"), n.ClearField("metadata_props")
                    m.graph.ClearField("value_info"), m.graph.ClearField("metadata_props")
                    x = make(3)
                    with torch.no_grad():
                        ys = model(x)
                    ys = ys if isinstance(ys, tuple) else (ys,)
                    files = {"model.onnx": m.SerializeToString(), "input_0.pb": numpy_helper.from_array(x.numpy()).SerializeToString()}
                    for i, y in enumerate(ys[: len(m.graph.output)]):
                        files[f"output_{i}.pb"] = numpy_helper.from_array(y.numpy()).SerializeToString()
                    for file, b in files.items():
                        info = tarfile.TarInfo(f"{name}-{kind}/{file}")
                        info.size = len(b)
                        tar.addfile(info, io.BytesIO(b))
                    print(name, kind, len(files["model.onnx"]), m.opset_import[0].version, sorted({n.op_type for n in m.graph.node}))


main()
