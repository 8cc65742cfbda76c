"""Checks what go test -run TestONNX -export DIR has written: python check_onnx.py DIR. Each model must pass onnx.checker and answer in ONNX Runtime, one, three and seven rows at a time and
all at once, as tarn does, to 1e-5."""
import glob, json, sys
import numpy as np
import onnx
import onnxruntime

for path in sorted(glob.glob(sys.argv[1] + "/*.onnx")):
    onnx.checker.check_model(path, full_check=True)
    with open(path[:-5] + ".json") as f:
        want = json.load(f)
    session = onnxruntime.InferenceSession(path)
    feed = {k: np.array(v, object).reshape(-1, 1) for k, v in want["words"].items()}
    for k, v in want["numbers"].items():
        x = np.array(v, np.float64)
        x[want["missing"].get(k, [])] = np.nan
        feed[k] = x.reshape(-1, 1)
    rows = len(next(iter(feed.values())))
    answers = np.array(want["answers"]).reshape(rows, -1)
    for n in (1, 3, 7, rows):
        for at in range(0, rows - n + 1, n):
            out = dict(zip([o.name for o in session.get_outputs()], session.run(None, {k: v[at : at + n] for k, v in feed.items()})))
            got = out["probabilities"] if "probabilities" in out else out["value"]
            assert np.allclose(got, answers[at : at + n], rtol=1e-5, atol=1e-5), (path, n, at)
            if "label" in out:
                assert list(out["label"]) == want["labels"][at : at + n], (path, n, at)
    print(path, "right")
