"""Checks what go test -run TestExport -export DIR has written: python check.py DIR. Each model must pass onnx.checker and answer in ONNX Runtime as tarn does, to 1e-5."""
import os, sys
import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

bad = 0
for name in sorted(os.listdir(sys.argv[1])):
    d = os.path.join(sys.argv[1], name)
    try:
        onnx.checker.check_model(os.path.join(d, "model.onnx"), full_check=True)
        session = onnxruntime.InferenceSession(os.path.join(d, "model.onnx"))
        worst = 0
        for n in (1, 3, 7):
            x, want = (numpy_helper.to_array(onnx.load_tensor(os.path.join(d, f"{k}_{n}.pb"))) for k in "xy")
            got = session.run(["y"], {"x": x})[0]
            assert got.shape == want.shape and got.dtype == want.dtype, (got.shape, want.shape)
            worst = max(worst, float(np.max(np.abs(got - want) / (1 + np.abs(want)))))
        assert worst <= 1e-5, worst
        print(f"{name}: right, {worst:.1e}")
    except Exception as e:
        bad += 1
        print(f"{name}: {str(e)[:400]}")
sys.exit(bad > 0)
