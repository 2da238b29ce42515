//! The network written down naively in double precision, and a small random model to compare it on.

mod pairs;

use std::{collections::HashMap, fs, path::Path};

use serde_json::json;

use crate::{Encoding, Model, Precision, Scratch, precision::Arithmetic};

const HIDDEN: usize = 64;
const HEADS: usize = 2;
const INNER: usize = 96;
const LAYERS: usize = 2;
const POSITIONS: usize = 48;
const WORDS: [&str; 12] =
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "fox", "##es", "jump", "##s", ".", "over"];

/// Evenly spread pseudo-random numbers in `-1.0..1.0`.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    pub(crate) fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}

type Tensors = HashMap<String, Vec<f32>>;

/// Writes a complete model directory with random weights and returns the weights. With `labels` it is a classifier's, whose
/// encoder's tensors have a prefix in the file.
fn write_model(directory: &Path, labels: Option<usize>) -> Tensors {
    let names: HashMap<_, _> = (0..labels.unwrap_or(2)).map(|label| (label.to_string(), "LABEL")).collect();
    let config = json!({
        "id2label": names,
        "model_type": "bert", "hidden_act": "gelu", "hidden_size": HIDDEN, "intermediate_size": INNER,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "max_position_embeddings": POSITIONS,
        "vocab_size": WORDS.len(), "layer_norm_eps": 1e-12,
    });
    let vocabulary: HashMap<_, _> = WORDS.iter().zip(0..).collect();
    let special: Vec<_> =
        WORDS[..4].iter().zip(0..).map(|(word, id)| json!({"id": id, "content": word})).collect();
    let tokenizer = json!({
        "added_tokens": special,
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                       "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocabulary},
    });
    write_json(&directory.join("config.json"), &config);
    write_json(&directory.join("sentence_bert_config.json"), &json!({"max_seq_length": 40}));
    write_json(&directory.join("tokenizer.json"), &tokenizer);

    let mut shapes = vec![
        ("embeddings.word_embeddings.weight".to_owned(), vec![WORDS.len(), HIDDEN]),
        ("embeddings.position_embeddings.weight".to_owned(), vec![POSITIONS, HIDDEN]),
        ("embeddings.token_type_embeddings.weight".to_owned(), vec![2, HIDDEN]),
    ];
    let mut layer_of = |name: String, outputs: usize, inputs: Option<usize>| {
        shapes.push((format!("{name}.weight"), std::iter::once(outputs).chain(inputs).collect()));
        shapes.push((format!("{name}.bias"), vec![outputs]));
    };
    layer_of("embeddings.LayerNorm".to_owned(), HIDDEN, None);
    for layer in 0..LAYERS {
        let name = |part: &str| format!("encoder.layer.{layer}.{part}");
        for part in ["self.query", "self.key", "self.value", "output.dense"] {
            layer_of(name(&format!("attention.{part}")), HIDDEN, Some(HIDDEN));
        }
        layer_of(name("attention.output.LayerNorm"), HIDDEN, None);
        layer_of(name("intermediate.dense"), INNER, Some(HIDDEN));
        layer_of(name("output.dense"), HIDDEN, Some(INNER));
        layer_of(name("output.LayerNorm"), HIDDEN, None);
    }
    if let Some(labels) = labels {
        layer_of("pooler.dense".to_owned(), HIDDEN, Some(HIDDEN));
        layer_of("classifier".to_owned(), labels, Some(HIDDEN));
    }
    let (mut header, mut data, mut tensors) = (serde_json::Map::new(), Vec::new(), Tensors::new());
    let mut random = Random(42);
    for (name, shape) in shapes {
        let values: Vec<f32> =
            random.floats(shape.iter().product()).iter().map(|value| value * 0.3).collect();
        let from = data.len();
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let entry = json!({"dtype": "F32", "shape": shape, "data_offsets": [from, data.len()]});
        let prefix = if labels.is_some() && !name.starts_with("classifier") { "bert." } else { "" };
        header.insert(format!("{prefix}{name}"), entry);
        tensors.insert(name, values);
    }
    let header = serde_json::to_vec(&header).expect("a header is JSON");
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(data);
    fs::write(directory.join("model.safetensors"), file).expect("the directory is writable");
    tensors
}

fn write_json(path: &Path, value: &serde_json::Value) {
    fs::write(path, value.to_string()).expect("the directory is writable");
}

fn get(tensors: &Tensors, name: &str) -> Vec<f64> {
    tensors[name].iter().map(|value| f64::from(*value)).collect()
}

fn linear(tensors: &Tensors, name: &str, rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let [weight, bias] = ["weight", "bias"].map(|part| get(tensors, &format!("{name}.{part}")));
    let output = |row: &Vec<f64>, n: usize| bias[n] + dot(row, &weight[n * row.len()..][..row.len()]);
    rows.iter().map(|row| (0..bias.len()).map(|n| output(row, n)).collect()).collect()
}

/// The embedding of `ids`, computed from the definition.
fn embed(tensors: &Tensors, ids: &[u32]) -> Vec<f64> {
    let rows = hidden(tensors, ids, ids.len());
    let sum = rows.iter().fold(vec![0.0; HIDDEN], |sum, row| add(&sum, row));
    let length = dot(&sum, &sum).sqrt();
    sum.iter().map(|value| value / length).collect()
}

/// The rows of the last layer; from `second` on tokens are of the second type.
fn hidden(tensors: &Tensors, ids: &[u32], second: usize) -> Vec<Vec<f64>> {
    let get = |name: &str| get(tensors, name);
    let linear = |name: &str, rows: &[Vec<f64>]| linear(tensors, name, rows);
    let norm = |name: &str, row: &[f64]| -> Vec<f64> {
        let (weight, bias) = (get(&format!("{name}.weight")), get(&format!("{name}.bias")));
        let mean = row.iter().sum::<f64>() / row.len() as f64;
        let variance = row.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / row.len() as f64;
        let scaled = row.iter().map(|value| (value - mean) / (variance + 1e-12).sqrt());
        scaled.zip(weight.iter().zip(&bias)).map(|(value, (weight, bias))| value * weight + bias).collect()
    };
    let [words, positions, kinds] =
        ["word", "position", "token_type"].map(|kind| get(&format!("embeddings.{kind}_embeddings.weight")));
    let token = |(at, id): (usize, &u32)| -> Vec<f64> {
        let kind = usize::from(at >= second) * HIDDEN;
        let sum = |k| words[*id as usize * HIDDEN + k] + positions[at * HIDDEN + k] + kinds[kind + k];
        norm("embeddings.LayerNorm", &(0..HIDDEN).map(sum).collect::<Vec<_>>())
    };
    let mut x: Vec<Vec<f64>> = ids.iter().enumerate().map(token).collect();
    for layer in 0..LAYERS {
        let name = |part: &str| format!("encoder.layer.{layer}.{part}");
        let [q, k, v] =
            ["query", "key", "value"].map(|part| linear(&name(&format!("attention.self.{part}")), &x));
        let mut context = vec![vec![0.0; HIDDEN]; x.len()];
        for head in 0..HEADS {
            let columns = head * HIDDEN / HEADS..(head + 1) * HIDDEN / HEADS;
            for (q, context) in q.iter().zip(&mut context) {
                let score = |k: &Vec<f64>| dot(&q[columns.clone()], &k[columns.clone()]) / 32.0_f64.sqrt();
                let powers: Vec<f64> = k.iter().map(|k| score(k).exp()).collect();
                let sum: f64 = powers.iter().sum();
                for column in columns.clone() {
                    context[column] = powers.iter().zip(&v).map(|(power, v)| power / sum * v[column]).sum();
                }
            }
        }
        let projected = linear(&name("attention.output.dense"), &context);
        x = x
            .iter()
            .zip(&projected)
            .map(|(x, y)| norm(&name("attention.output.LayerNorm"), &add(x, y)))
            .collect();
        let mut inner = linear(&name("intermediate.dense"), &x);
        inner
            .iter_mut()
            .flatten()
            .for_each(|value| *value *= 0.5 * (1.0 + erf(*value * std::f64::consts::FRAC_1_SQRT_2)));
        let down = linear(&name("output.dense"), &inner);
        x = x.iter().zip(&down).map(|(x, y)| norm(&name("output.LayerNorm"), &add(x, y))).collect();
    }
    x
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// The Taylor series of erf, good for |x| <= 5.
pub(crate) fn erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

#[test]
fn every_kernel_computes_the_network_as_defined_for_every_length_and_batch() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let tensors = write_model(directory.path(), None);
    for arithmetic in Arithmetic::available() {
        // bf16 keeps 8 bits of a number; the small network has components around 0.1.
        let tolerance = if arithmetic.kernel.is_some() { 6e-3 } else { 1e-5 };
        let model = Model::load_for(directory.path(), arithmetic).expect("the model is sound");
        let text = "foxes jump over a fox. b jumps over unknown foxes and ".repeat(4);
        let texts: Vec<&str> = (0..text.len()).step_by(3).map(|end| &text[..end]).collect();
        let encodings: Vec<Encoding> = texts.iter().map(|text| model.tokenizer().encode(text)).collect();
        assert_eq!(encodings[0].len(), 2);
        assert_eq!(encodings.iter().map(Encoding::len).max(), Some(40), "truncated to max_seq_length");
        let scratch = &mut Scratch::default();
        let together = model.embed(scratch, &encodings);
        assert_eq!(together.len(), encodings.len());
        for (encoding, embedding) in encodings.iter().zip(&together) {
            for (value, expected) in embedding.iter().zip(embed(&tensors, encoding.ids())) {
                assert!(
                    (f64::from(*value) - expected).abs() < tolerance,
                    "{}: {} tokens",
                    arithmetic.name(),
                    encoding.len()
                );
            }
            let alone = model.embed(scratch, std::slice::from_ref(encoding));
            let difference = alone[0].iter().zip(embedding).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(difference < 1e-6, "the company of other texts changes an embedding by {difference}");
        }
        assert!(model.embed(scratch, &[]).is_empty());
    }
}

/// Loads the small model after `spoil` had its way with the directory, and returns the complaint.
fn complaint(spoil: impl FnOnce(&Path)) -> String {
    let directory = tempfile::tempdir().expect("a temporary directory");
    write_model(directory.path(), None);
    spoil(directory.path());
    match Model::load(directory.path(), Precision::Auto) {
        Ok(_) => "none".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).expect("the file is text");
    assert!(text.contains(from), "{from} is in {}", path.display());
    fs::write(path, text.replace(from, to)).expect("the file is writable");
}

#[test]
fn a_model_that_cannot_be_used_is_refused_with_the_file_and_what_is_wrong() {
    assert_eq!(complaint(|_| {}), "none");
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let missing = complaint(|at| fs::remove_file(at.join(file)).expect("it exists"));
        assert!(missing.contains(file) && missing.contains("cannot read"), "{missing}");
        let damaged = complaint(|at| fs::write(at.join(file), "{").expect("it is writable"));
        assert!(damaged.contains(file) && damaged.contains("fetch the model again"), "{damaged}");
    }
    let cut = complaint(|at| {
        let bytes = fs::read(at.join("model.safetensors")).expect("it exists");
        fs::write(at.join("model.safetensors"), &bytes[..bytes.len() - 4]).expect("it is writable");
    });
    assert!(cut.contains("ends inside tensor"), "{cut}");
    let other_kind = complaint(|at| replace(&at.join("config.json"), r#""bert""#, r#""roberta""#));
    assert!(other_kind.contains("roberta") && other_kind.contains("cannot run"), "{other_kind}");
    let activation = complaint(|at| replace(&at.join("config.json"), r#""gelu""#, r#""relu""#));
    assert!(activation.contains("hidden_act"), "{activation}");
    let shape = complaint(|at| {
        replace(&at.join("config.json"), r#""intermediate_size":96"#, r#""intermediate_size":128"#);
    });
    assert!(shape.contains("intermediate.dense") && shape.contains("shape"), "{shape}");
    let vocabulary =
        complaint(|at| replace(&at.join("config.json"), r#""vocab_size":12"#, r#""vocab_size":11"#));
    assert!(vocabulary.contains("has no embedding"), "{vocabulary}");
    let tokenizer = complaint(|at| replace(&at.join("tokenizer.json"), "WordPiece", "BPE"));
    assert!(tokenizer.contains("not BERT's WordPiece"), "{tokenizer}");
}
