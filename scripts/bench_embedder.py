"""Measures the embedding engine beside ONNX Runtime on one thread of one CPU, in interleaved rounds.

Started by bench-embedder.sh. Arguments: model directory, benchmark binary, rounds.

ONNX Runtime computes the same network, fp32, from the same safetensors, in two forms: the plain graph an exporter
writes, with all of ONNX Runtime's own optimisations, and a graph fused by hand with its contributed operators
(Attention, BiasGelu, SkipLayerNormalization). It may batch with padding or take texts one by one. Each workload is
compared with the fastest of these. Token ids are checked against Hugging Face tokenizers, embeddings by their cosine.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file
from tokenizers import Tokenizer

SECONDS = 1.5


class Graph:
    """An ONNX graph under construction."""

    def __init__(self, model: Path):
        self.config = json.loads((model / "config.json").read_text())
        self.tensors = load_file(model / "model.safetensors")
        self.nodes, self.constants, self.names = [], {}, 0

    def constant(self, value, dtype=np.float32):
        name = f"c{len(self.constants)}"
        self.constants[name] = numpy_helper.from_array(np.asarray(value, dtype=dtype, order="C"), name)
        return name

    def weight(self, name):
        return self.constant(self.tensors[name])

    def add(self, op, *inputs, domain="", **attributes):
        self.names += 1
        name = f"t{self.names}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], domain=domain, **attributes))
        return name

    def linear(self, x, name, bias=True):
        product = self.add("MatMul", x, self.constant(self.tensors[f"{name}.weight"].T))
        return self.add("Add", product, self.weight(f"{name}.bias")) if bias else product

    def norm(self, x, name):
        eps = self.config["layer_norm_eps"]
        return self.add("LayerNormalization", x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), axis=-1, epsilon=eps)

    def embeddings(self):
        words = self.add("Gather", self.weight("embeddings.word_embeddings.weight"), "ids")
        length = self.add("Gather", self.add("Shape", "ids"), self.constant(1, np.int64), axis=0)
        zero, one = self.constant(0, np.int64), self.constant(1, np.int64)
        positions = self.tensors["embeddings.position_embeddings.weight"] + self.tensors["embeddings.token_type_embeddings.weight"][0]
        positions = self.add("Gather", self.constant(positions), self.add("Range", zero, length, one))
        return self.norm(self.add("Add", words, positions), "embeddings.LayerNorm")

    def pooled(self, x):
        mask = self.add("Unsqueeze", self.add("Cast", "mask", to=TensorProto.FLOAT), self.constant([2], np.int64))
        total = self.add("ReduceSum", self.add("Mul", x, mask), self.constant([1], np.int64), keepdims=0)
        self.nodes.append(helper.make_node("LpNormalization", [total], ["embedding"], axis=1, p=2))

    def plain_layer(self, x, mask, layer):
        heads, hidden = self.config["num_attention_heads"], self.config["hidden_size"]
        shape = self.constant([0, 0, heads, hidden // heads], np.int64)

        def split(part, perm):
            projected = self.linear(x, f"{layer}.attention.self.{part}")
            return self.add("Transpose", self.add("Reshape", projected, shape), perm=perm)

        query, key, value = split("query", [0, 2, 1, 3]), split("key", [0, 2, 3, 1]), split("value", [0, 2, 1, 3])
        scores = self.add("Div", self.add("MatMul", query, key), self.constant((hidden // heads) ** 0.5))
        probabilities = self.add("Softmax", self.add("Add", scores, mask), axis=-1)
        context = self.add("Transpose", self.add("MatMul", probabilities, value), perm=[0, 2, 1, 3])
        context = self.add("Reshape", context, self.constant([0, 0, hidden], np.int64))
        output = self.linear(context, f"{layer}.attention.output.dense")
        x = self.norm(self.add("Add", output, x), f"{layer}.attention.output.LayerNorm")
        up = self.linear(x, f"{layer}.intermediate.dense")
        erf = self.add("Erf", self.add("Div", up, self.constant(2**0.5)))
        gelu = self.add("Mul", self.add("Mul", up, self.add("Add", erf, self.constant(1.0))), self.constant(0.5))
        down = self.linear(gelu, f"{layer}.output.dense")
        return self.norm(self.add("Add", down, x), f"{layer}.output.LayerNorm")

    def fused_layer(self, x, layer):
        contributed = {"domain": "com.microsoft"}
        parts = [f"{layer}.attention.self.{part}" for part in ("query", "key", "value")]
        weights = self.constant(np.concatenate([self.tensors[f"{part}.weight"].T for part in parts], axis=1))
        bias = self.constant(np.concatenate([self.tensors[f"{part}.bias"] for part in parts]))
        heads = self.config["num_attention_heads"]
        context = self.add("Attention", x, weights, bias, "mask32", num_heads=heads, **contributed)

        def skip_norm(y, residual, norm, dense):
            weights = [self.weight(f"{norm}.weight"), self.weight(f"{norm}.bias"), self.weight(f"{dense}.bias")]
            eps = self.config["layer_norm_eps"]
            return self.add("SkipLayerNormalization", y, residual, *weights, epsilon=eps, **contributed)

        output = self.linear(context, f"{layer}.attention.output.dense", bias=False)
        x = skip_norm(output, x, f"{layer}.attention.output.LayerNorm", f"{layer}.attention.output.dense")
        up = self.linear(x, f"{layer}.intermediate.dense", bias=False)
        gelu = self.add("BiasGelu", up, self.weight(f"{layer}.intermediate.dense.bias"), **contributed)
        down = self.linear(gelu, f"{layer}.output.dense", bias=False)
        return skip_norm(down, x, f"{layer}.output.LayerNorm", f"{layer}.output.dense")

    def build(self, fused):
        x = self.embeddings()
        if fused:
            self.nodes.append(helper.make_node("Cast", ["mask"], ["mask32"], to=TensorProto.INT32))
        else:
            mask = self.add("Unsqueeze", self.add("Cast", "mask", to=TensorProto.FLOAT), self.constant([1, 2], np.int64))
            mask = self.add("Mul", self.add("Sub", self.constant(1.0), mask), self.constant(-10000.0))
        for index in range(self.config["num_hidden_layers"]):
            layer = f"encoder.layer.{index}"
            x = self.fused_layer(x, layer) if fused else self.plain_layer(x, mask, layer)
        self.pooled(x)
        inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "length"]) for n in ("ids", "mask")]
        outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", self.config["hidden_size"]])]
        graph = helper.make_graph(self.nodes, "encoder", inputs, outputs, list(self.constants.values()))
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def session(model: Path, fused: bool):
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    graph = Graph(model).build(fused).SerializeToString()
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def padded(ids):
    width = max(map(len, ids))
    tokens, mask = np.zeros((len(ids), width), np.int64), np.zeros((len(ids), width), np.int64)
    for row, sequence in enumerate(ids):
        tokens[row, : len(sequence)], mask[row, : len(sequence)] = sequence, 1
    return {"ids": tokens, "mask": mask}


def variants(sessions, ids):
    """Every way ONNX Runtime could embed this workload: name and a function that does."""
    batch, singles = padded(ids), [padded([sequence]) for sequence in ids]
    for name, run in sessions.items():
        yield f"{name}, batched", lambda run=run: run.run(None, batch)[0]
        if len(ids) > 1:
            yield f"{name}, one by one", lambda run=run: np.concatenate([run.run(None, one)[0] for one in singles])


def median_seconds(function):
    for _ in range(3):
        function()
    times, start = [], time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def check(workload, tokenizer, runs, kernel):
    ids = [encoding.ids for encoding in tokenizer.encode_batch(workload["texts"])]
    assert ids == workload["ids"], f"{workload['name']}: token ids differ from the reference"
    ours = np.array(workload["embeddings"])
    for name, run in runs:
        cosine = (run() * ours).sum(axis=1).min()
        least = 0.999 if "bf16" in kernel else 0.9999
        assert cosine >= least, f"{kernel}, {workload['name']}: cosine {cosine} with ONNX Runtime ({name})"


def main():
    model, binary, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    cpu = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpu})
    environment = os.environ | {"MCP_RAG_TEST_MODEL": str(model)}
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    sessions = {"plain graph": session(model, False), "fused graph": session(model, True)}

    modes, kernels, times = {"auto": [], "fp32": ["--fp32"]}, {}, {}
    for number in range(rounds):
        runs = {}
        for mode, arguments in modes.items():
            command = [binary, "--json", *arguments]
            ours = json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
            kernels[mode] = ours["kernel"]
            for workload in ours["workloads"]:
                name = workload["name"]
                runs.setdefault(name, list(variants(sessions, workload["ids"])))
                if number == 0:
                    check(workload, tokenizer, runs[name], ours["kernel"])
                key = (name, len(workload["ids"]), sum(map(len, workload["ids"])))
                times.setdefault(key, {}).setdefault(ours["kernel"], []).append(workload["seconds"])
        for key, measured in times.items():
            for name, run in runs[key[0]]:
                measured.setdefault(name, []).append(median_seconds(run))

    names = list(dict.fromkeys(kernels.values()))
    print(f"ONNX Runtime {ort.__version__} fp32, ours with {' and '.join(names)} (auto chooses {kernels['auto']}); "
          f"one thread on CPU {cpu}, medians of {rounds} interleaved rounds\n")
    print("| workload | engine | ms | texts/s | tokens/s | " + " | ".join(f"{name} is faster by" for name in names) + " |")
    print("|---|---|---:|---:|---:|" + "---:|" * len(names))
    for (workload, texts, tokens), measured in times.items():
        for engine, seconds in measured.items():
            ratios = [statistics.median(other / own for other, own in zip(seconds, measured[name])) for name in names]
            seconds = statistics.median(seconds)
            print(f"| {workload} ({texts} × {tokens / texts:.0f} tokens) | {engine} | {seconds * 1e3:.2f} | {texts / seconds:.1f} "
                  f"| {tokens / seconds:.0f} | " + " | ".join(f"{ratio:.2f} ×" for ratio in ratios) + " |")


if __name__ == "__main__":
    main()
