//! How well a text answers a query, by a network that reads both together.

use std::{path::Path, sync::Arc};

use crate::{
    Encoding, LoadError, Precision, Scratch, Tokenizer,
    config::Config,
    encoder::{Encoder, passes},
    matrix::{Activation, Linear},
    precision::Arithmetic,
    weights::Weights,
};

/// A BERT classifier of pairs with one label, such as cross-encoder/ms-marco-MiniLM-L-6-v2. Cheap to clone, shared between
/// threads.
#[derive(Clone)]
pub struct CrossEncoder {
    network: Arc<(Encoder, Head)>,
    tokenizer: Tokenizer,
}

/// A tokenised query, for any number of pairs.
#[derive(Clone, Debug)]
pub struct Query(Encoding);

/// BERT's pooler and the classifier over it. Always in fp32: it is one row a pair.
struct Head {
    pooler: Linear,
    classifier: Vec<f32>,
    bias: f32,
}

impl CrossEncoder {
    /// Loads the model from a directory with `config.json`, `tokenizer.json` and `model.safetensors`.
    ///
    /// # Errors
    /// If a file is missing, damaged, or describes a model of another architecture or with several labels, or if this
    /// machine cannot compute in the precision.
    pub fn load(directory: &Path, precision: Precision) -> Result<Self, LoadError> {
        Self::load_for(directory, Arithmetic::choose(precision)?)
    }

    pub(crate) fn load_for(directory: &Path, arithmetic: Arithmetic) -> Result<Self, LoadError> {
        let config = Config::load_pairs(directory)?;
        let tokenizer =
            Tokenizer::load(&directory.join("tokenizer.json"), config.max_tokens, config.vocab_size)?;
        let weights = &mut Weights::open(&directory.join("model.safetensors"))?;
        let hidden = config.hidden_size;
        let (matrix, bias) = (
            weights.read("pooler.dense.weight", &[hidden, hidden])?,
            weights.read("pooler.dense.bias", &[hidden])?,
        );
        let head = Head {
            pooler: Linear::pack(arithmetic.isa, &matrix, bias),
            classifier: weights.read_head("classifier.weight", &[1, hidden])?,
            bias: weights.read_head("classifier.bias", &[1])?[0],
        };
        let encoder = Encoder::load(weights, config, arithmetic)?;
        Ok(Self { network: Arc::new((encoder, head)), tokenizer })
    }

    /// What the model computes with, as [`Model::kernel`](crate::Model::kernel) names it.
    pub fn kernel(&self) -> &'static str {
        self.network.0.arithmetic().name()
    }

    /// The ids of a query, truncated to half of the room.
    pub fn query(&self, text: &str) -> Query {
        Query(self.tokenizer.encode_first(text))
    }

    /// A query and a text as the model reads them: `[CLS] query [SEP] text [SEP]`. The text is truncated to the room that
    /// the query leaves, which is at least as much as a query may take.
    pub fn pair(&self, query: &Query, text: &str) -> Encoding {
        self.tokenizer.encode_second(&query.0, text)
    }

    /// One score for each pair, in their order: the classifier's output as it is, any finite number, higher is better. Pairs
    /// must come from this model's [`CrossEncoder::pair`].
    pub fn score(&self, scratch: &mut Scratch, pairs: &[Encoding]) -> Vec<f32> {
        let (encoder, head) = &*self.network;
        let mut scores = Vec::with_capacity(pairs.len());
        let mut pooled = vec![0.0; encoder.dimensions()];
        for pass in passes(pairs) {
            let rows = encoder.pass(scratch, pass);
            scores.extend(rows.map(|rows| head.score(encoder.arithmetic(), rows, &mut pooled)));
        }
        scores
    }
}

impl Head {
    /// Reads the first row, that of `[CLS]`.
    fn score(&self, arithmetic: Arithmetic, rows: &[f32], pooled: &mut [f32]) -> f32 {
        self.pooler.apply(arithmetic.isa, &rows[..pooled.len()], pooled, Activation::None);
        let weighted = pooled.iter().zip(&self.classifier).map(|(value, weight)| value.tanh() * weight);
        weighted.sum::<f32>() + self.bias
    }
}
