"""Writes the cases of ONNX's own backend tests, without the domains ai.onnx.ml and ai.onnx.preview: python backend.py DIR writes all, a folder each, for
go test -backend DIR. python backend.py FILE.tar.gz writes the small ones that are in this folder."""
import io, os, sys, tarfile, warnings

warnings.filterwarnings("ignore")
import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests


def proto(info, x):
    kind = info.type.WhichOneof("value")
    if isinstance(x, onnx.TensorProto):
        return x
    if kind == "optional_type":
        return numpy_helper.from_optional(x, info.name) if hasattr(numpy_helper, "from_optional") else None
    if kind == "sequence_type" or isinstance(x, (list, tuple)):
        return numpy_helper.from_list(x, info.name)
    return numpy_helper.from_array(np.asarray(x), info.name)


def cases():
    seen = set()
    for t in load_model_tests(kind="node"):
        if t.model is None or any(n.domain for n in t.model.graph.node) or t.name in seen:
            continue
        seen.add(t.name)
        inputs, outputs = t.data_sets[0]
        files = {"model.onnx": t.model.SerializeToString()}
        try:
            for what, infos, xs in (("input", t.model.graph.input, inputs), ("output", t.model.graph.output, outputs)):
                for i, x in enumerate(xs):
                    files[f"{what}_{i}.pb"] = proto(infos[i], x).SerializeToString()
        except Exception as e:
            print(t.name, e, file=sys.stderr)
            continue
        yield t.name, files


def main(to):
    if not to.endswith(".tar.gz"):
        for name, files in cases():
            for file, b in files.items():
                path = os.path.join(to, name, file if file == "model.onnx" else "test_data_set_0/" + file)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as f:
                    f.write(b)
        return
    import gzip
    with open(to, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as z, tarfile.open(fileobj=z, mode="w") as tar:
        for name, files in cases():
            if "_expanded" in name or sum(map(len, files.values())) > 24 << 10:
                continue
            for file, b in files.items():
                info = tarfile.TarInfo(f"{name}/{file}")
                info.size = len(b)
                tar.addfile(info, io.BytesIO(b))


main(sys.argv[1])
