"""Makes the small cross-encoder in this folder and what Hugging Face transformers computes with it.

    pip install "transformers<4.50" flax "jax[cpu]" safetensors && python make.py

The weights are random; the texts are what the tests rank. Tests read the files and never run this.
"""

import json
import pathlib
import sys

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertTokenizerFast, FlaxBertForSequenceClassification

HERE = pathlib.Path(__file__).parent
HIDDEN, INNER, LAYERS, POSITIONS = 64, 32, 2, 64
WORDS = """the a of and in at over by fox quick brown lazy dog jump run sleep den river stone old bridge cross water
moon light night see hear ship harbour captain letter green tea leaf mountain snow winter road town market bread
""".split()
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
VOCABULARY = [*SPECIAL, *LETTERS, *("##" + c for c in LETTERS[:26]), ".", ",", "?", "##ing",
              *(word for word in WORDS if len(word) > 1)]
QUERY = "which animal jumps over the old bridge?"
PASSAGES = [
    "The quick brown fox jumps over the lazy dog.",
    "An old stone bridge crosses the river at the town.",
    "Captains write letters by moonlight in the harbour.",
    "Green tea leaves, dried in the mountain snow.",
    "In winter the market road is sleeping under ice.",
    "Dogs run over the bridge and hear the water.",
    "Bread.",
]
CASES = [(QUERY, text) for text in PASSAGES] + [
    ("bread", "Bread, bread and bread."),
    ("", "The text alone."),
    ("a query alone", ""),
    # Truncation of the text, of the query, and of both.
    (QUERY, " ".join(PASSAGES)),
    ("fox and dog " * 20, "The river."),
    ("fox and dog " * 20, " ".join(PASSAGES)),
    ("[SEP] within", "a [MASK], a [SEP], an é and 漢字"),
]


def weights():
    random = np.random.default_rng(26)
    tensors = {}

    def put(name, *shape, spread=0.25):
        tensors[name] = (random.standard_normal(shape) * spread).astype(np.float32)

    def linear(name, outputs, inputs):
        put(f"{name}.weight", outputs, inputs)
        put(f"{name}.bias", outputs)

    def norm(name):
        put(f"{name}.weight", HIDDEN)
        tensors[f"{name}.weight"] += 1
        put(f"{name}.bias", HIDDEN)

    for kind, rows in ("word", len(VOCABULARY)), ("position", POSITIONS), ("token_type", 2):
        put(f"bert.embeddings.{kind}_embeddings.weight", rows, HIDDEN, spread=0.5)
    norm("bert.embeddings.LayerNorm")
    for layer in range(LAYERS):
        at = f"bert.encoder.layer.{layer}"
        for part in "query", "key", "value":
            linear(f"{at}.attention.self.{part}", HIDDEN, HIDDEN)
        linear(f"{at}.attention.output.dense", HIDDEN, HIDDEN)
        norm(f"{at}.attention.output.LayerNorm")
        linear(f"{at}.intermediate.dense", INNER, HIDDEN)
        linear(f"{at}.output.dense", HIDDEN, INNER)
        norm(f"{at}.output.LayerNorm")
    linear("bert.pooler.dense", HIDDEN, HIDDEN)
    linear("classifier", 1, HIDDEN)
    return tensors


def tokenizer():
    vocabulary = {word: at for at, word in enumerate(VOCABULARY)}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens(SPECIAL)
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    made.save(str(HERE / "tokenizer.json"))
    return BertTokenizerFast(tokenizer_object=made)


def main():
    assert len(VOCABULARY) == len(set(VOCABULARY))
    save_file(weights(), HERE / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["BertForSequenceClassification"], "model_type": "bert", "hidden_act": "gelu",
        "hidden_size": HIDDEN, "intermediate_size": INNER, "num_hidden_layers": LAYERS, "num_attention_heads": 2,
        "max_position_embeddings": POSITIONS, "vocab_size": len(VOCABULARY), "type_vocab_size": 2,
        "layer_norm_eps": 1e-12, "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0},
    }
    (HERE / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    model = FlaxBertForSequenceClassification.from_pretrained(HERE, from_pt=True)
    encode = tokenizer()
    lines = []
    for query, text in CASES:
        # A query may take half of the room, and then the text what is left.
        parts = [encode(part, add_special_tokens=False)["input_ids"] for part in (query, text)]
        parts[0] = parts[0][: (POSITIONS + 1) // 2 - 2]
        batch = encode.prepare_for_model(*parts, truncation="only_second", max_length=POSITIONS, return_tensors="np",
                                         prepend_batch_axis=True)
        if len(parts[1]) >= len(parts[0]):
            usual = encode(query, text, truncation="longest_first", max_length=POSITIONS)
            assert usual["input_ids"] == batch["input_ids"][0].tolist(), (query, text)
        logit = float(model(**batch).logits[0, 0])
        ids = batch["input_ids"][0].tolist()
        lines.append(json.dumps({"query": query, "text": text, "ids": ids, "logit": round(logit, 6)}, ensure_ascii=False))
    (HERE / "expected.jsonl").write_text("\n".join(lines) + "\n")
    sys.stdout.write("\n".join(lines) + "\n")


main()
