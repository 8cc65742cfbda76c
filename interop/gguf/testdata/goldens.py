"""Writes small.gguf: metadata of every type, and a tensor of each type beside the floats that the package gguf makes of it. Needs gguf."""
import os
import numpy as np
from gguf import GGUFWriter, GGMLQuantizationType as Q, GGUFValueType as V, quants

here = os.path.dirname(os.path.abspath(__file__))
w = GGUFWriter(os.path.join(here, "small.gguf"), "test")
for kind, value in [("UINT8", 255), ("INT8", -128), ("UINT16", 65535), ("INT16", -32768), ("UINT32", 4294967295), ("INT32", -2147483648),
                    ("UINT64", 2**64 - 1), ("INT64", -(2**63)), ("FLOAT32", 1.5), ("FLOAT64", 0.1), ("BOOL", True), ("STRING", "tęxt")]:
    w.add_key_value("one." + kind.lower(), value, V[kind])
    w.add_key_value("several." + kind.lower(), [value, value], V.ARRAY, V[kind])
r = np.random.default_rng(7)
x = (r.standard_normal((3, 512)) * 2).astype(np.float32)
w.add_tensor("f32", x[:, :5])
w.add_tensor("f16", x[:, :5].astype(np.float16))
w.add_tensor("f64", x[0, :3].astype(np.float64))
w.add_tensor("i8", np.array([[-128], [127]], np.int8))
w.add_tensor("i16", np.array([-32768, 7], np.int16))
w.add_tensor("i32", np.array([[[-1]]], np.int32))
w.add_tensor("i64", np.array([2**62], np.int64))
for q in [Q.BF16, Q.Q4_0, Q.Q4_1, Q.Q5_0, Q.Q5_1, Q.Q8_0]:
    name, raw = q.name.lower(), quants.quantize(x[:, :64], q)
    w.add_tensor(name, raw, raw_dtype=q)
    w.add_tensor(name + ".want", quants.dequantize(raw, q).astype(np.float32))
for q, size, halves in [(Q.Q4_K, 144, [0, 2]), (Q.Q5_K, 176, [0, 2]), (Q.Q6_K, 210, [208])]:  # any bytes are a block, with finite scales
    name, raw = q.name.lower(), r.integers(0, 256, (2, 2 * size), dtype=np.uint8)
    for block in range(2):
        for at in halves:
            raw[:, block * size + at : block * size + at + 2] = r.standard_normal((2, 1)).astype(np.float16).view(np.uint8)
    w.add_tensor(name, raw, raw_dtype=q)
    w.add_tensor(name + ".want", quants.dequantize(raw, q).astype(np.float32))
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()
