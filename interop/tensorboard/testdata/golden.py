"""Reads golden.tfevents by TensorBoard's own reader and writes what it finds to golden.json.

    pip install tensorboard==2.21.0 pillow
    go test ./interop/tensorboard -run TestGolden -update
    python interop/tensorboard/testdata/golden.py
"""

import io
import json
import pathlib
import shutil
import tempfile

from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

here = pathlib.Path(__file__).parent
with tempfile.TemporaryDirectory() as run:
    shutil.copy(here / "golden.tfevents", run + "/events.out.tfevents.1.golden")
    events = EventAccumulator(run, size_guidance={"scalars": 0, "tensors": 0, "images": 0, "histograms": 0})
    events.Reload()

out = {"Scalars": {}, "Histograms": {}, "Images": {}, "Texts": {}, "HParams": {}}
tags = events.Tags()
for tag in tags["scalars"]:
    if tag != "bad":  # JSON has no infinity
        out["Scalars"][tag] = [{"Step": e.step, "Value": e.value, "Time": e.wall_time} for e in events.Scalars(tag)]
for tag in tags["histograms"]:
    e = events.Histograms(tag)[0]
    h = e.histogram_value
    out["Histograms"][tag] = {"Step": e.step, "Min": h.min, "Max": h.max, "Num": h.num, "Sum": h.sum,
                              "Squares": h.sum_squares, "Limits": list(h.bucket_limit), "Counts": list(h.bucket)}
for tag in tags["images"]:
    e = events.Images(tag)[0]
    picture = Image.open(io.BytesIO(e.encoded_image_string)).convert("RGB")
    pixels = [list(picture.getpixel((i % e.width, i // e.width))) for i in range(e.width * e.height)]
    out["Images"][tag] = {"Step": e.step, "Width": e.width, "Height": e.height, "Pixels": pixels}
for tag in tags["tensors"]:
    if events.SummaryMetadata(tag).plugin_data.plugin_name == "text":
        out["Texts"][tag] = events.Tensors(tag)[0].tensor_proto.string_val[0].decode()


def hparams(tag):
    data = plugin_data_pb2.HParamsPluginData()
    data.ParseFromString(events.SummaryMetadata(tag).plugin_data.content)
    return data


experiment = hparams("_hparams_/experiment").experiment
start = hparams("_hparams_/session_start_info").session_start_info
out["HParams"] = {
    "Declared": {i.name: api_pb2.DataType.Name(i.type) for i in experiment.hparam_infos},
    "Metrics": [m.name.tag for m in experiment.metric_infos],
    "Values": {k: getattr(v, v.WhichOneof("kind")) for k, v in start.hparams.items()},
    "Status": hparams("_hparams_/session_end_info").session_end_info.status,
}
(here / "golden.json").write_text(json.dumps(out, sort_keys=True) + "\n")
