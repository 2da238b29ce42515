//! Vectors as `mcp-rag bench` makes them: mixtures of the embeddings of three sentences of a real text for the chunks,
//! real questions moved a little for the queries. Questions do not lie among the chunks that answer them, and an index
//! that is fast only for queries that do is not fast.

use mcp_rag_minilm::{Encoding, Model, Precision, Scratch};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::thread;

pub(crate) const DIMENSIONS: usize = 384;
/// One embedded sentence to so many chunks, while there are sentences.
const CHUNKS_PER_SENTENCE: usize = 20;
const FEWEST: usize = 3000;
const NOISE: f32 = 0.05;
const OTHER: f32 = 0.2;

/// Embeddings of a text's sentences and of questions about it.
pub(crate) struct Corpus {
    sentences: Vec<f32>,
    questions: Vec<f32>,
}

impl Corpus {
    /// Of a set in BEIR layout, embedded by the model in that folder; what was embedded is kept in `cache`.
    pub(crate) fn read(set: &Path, model: &Path, cache: &Path) -> Result<Self, Box<dyn Error>> {
        fs::create_dir_all(cache)?;
        let embedded = |name: &str, texts: &dyn Fn() -> Result<Vec<String>, Box<dyn Error>>| {
            let file = cache.join(name);
            if let Ok(bytes) = fs::read(&file) {
                let floats = bytes.chunks_exact(4).map(|x| f32::from_le_bytes([x[0], x[1], x[2], x[3]]));
                return Ok(floats.collect());
            }
            let vectors = embed(model, &texts()?)?;
            fs::write(file, vectors.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>())?;
            Ok::<Vec<f32>, Box<dyn Error>>(vectors)
        };
        let corpus = || Ok(sentences(&texts(&set.join("corpus.jsonl"))?));
        let questions = || texts(&set.join("queries.jsonl"));
        Ok(Self {
            sentences: embedded("sentences.f32", &corpus)?,
            questions: embedded("questions.f32", &questions)?,
        })
    }

    /// Chunk `n` of a collection of `size`.
    pub(crate) fn chunk(&self, n: usize, size: usize) -> Vec<f32> {
        let mut dice = Dice::new(n as u64 + 1);
        let all = self.sentences.len() / DIMENSIONS;
        let known = all.min((size / CHUNKS_PER_SENTENCE).max(FEWEST));
        let [first, second, third] = [(); 3].map(|()| dice.below(known));
        let share = 0.5 + dice.unit() / 2.0;
        let mut mixed = vec![0.0; DIMENSIONS];
        for (at, weight) in [(first, share), (second, (1.0 - share) * 0.7), (third, (1.0 - share) * 0.3)] {
            let sentence = &self.sentences[at * DIMENSIONS..(at + 1) * DIMENSIONS];
            mixed.iter_mut().zip(sentence).for_each(|(sum, x)| *sum += x * weight);
        }
        near(&mixed, &mut dice)
    }

    pub(crate) fn queries(&self, count: usize) -> Vec<Vec<f32>> {
        let mut dice = Dice::new(42);
        let questions: Vec<&[f32]> = self.questions.chunks_exact(DIMENSIONS).collect();
        let one = |n: usize| {
            let other = questions[dice.below(questions.len())];
            let mixed: Vec<f32> =
                questions[n % questions.len()].iter().zip(other).map(|(a, b)| a + b * OTHER).collect();
            near(&mixed, &mut dice)
        };
        (0..count).map(one).collect()
    }
}

fn texts(file: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let text = |line: &str| {
        let entry: serde_json::Value = serde_json::from_str(line)?;
        Ok(entry["text"].as_str().unwrap_or_default().to_owned())
    };
    fs::read_to_string(file)?.lines().map(text).collect()
}

fn sentences(texts: &[String]) -> Vec<String> {
    let usual = |sentence: &&str| (4..=80).contains(&sentence.split_whitespace().count());
    texts.iter().flat_map(|text| text.split(". ")).filter(usual).map(str::to_owned).collect()
}

fn embed(model: &Path, texts: &[String]) -> Result<Vec<f32>, Box<dyn Error>> {
    let model = Model::load(model, Precision::Auto)?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let part = |texts: &[String]| {
        let mut scratch = Scratch::default();
        let encoded: Vec<Encoding> = texts.iter().map(|text| model.tokenizer().encode(text)).collect();
        let batches = encoded.chunks(64).map(|batch| model.embed(&mut scratch, batch));
        batches.flatten().flatten().collect::<Vec<f32>>()
    };
    Ok(thread::scope(|scope| {
        let parts = texts.chunks(texts.len().div_ceil(cores).max(1));
        let workers: Vec<_> = parts.map(|texts| scope.spawn(|| part(texts))).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).flatten().collect()
    }))
}

/// A unit vector in the neighbourhood of another.
pub(crate) fn near(vector: &[f32], dice: &mut Dice) -> Vec<f32> {
    let scale = NOISE / (vector.len() as f32).sqrt();
    let mut moved: Vec<f32> = vector.iter().map(|x| x + dice.normal() * scale).collect();
    let norm = moved.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    moved.iter_mut().for_each(|x| *x /= norm);
    moved
}

/// SplitMix64.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u64 << 24) as f32
    }

    fn normal(&mut self) -> f32 {
        ((0..4).map(|_| self.unit()).sum::<f32>() - 2.0) * 3_f32.sqrt()
    }
}
