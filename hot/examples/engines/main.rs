//! What a search costs in this index, by how it is done, at several sizes:
//!
//!     cargo run --release -p mcp-rag-hot --example engines -- --set DIR [--sizes 10000,100000] [--model DIR] [--cache DIR]
//!
//! DIR is a set in BEIR layout. Recall@10 is against comparing all in single precision. The fastest of three rounds.

mod corpus;

use corpus::{Corpus, DIMENSIONS};
use mcp_rag_hot::Bitmap;
use mcp_rag_hot::dense::{Dense, Effort, Scratch};
use std::error::Error;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

const TOP_K: usize = 10;
const ROUNDS: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<String> = std::env::args().collect();
    let option = |name: &str| given.iter().position(|given| given == name).and_then(|at| given.get(at + 1));
    let Some(set) = option("--set") else {
        println!("nothing measured: name a set in BEIR layout with --set");
        return Ok(());
    };
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let model = option("--model").map_or_else(|| here.join(".local/model"), PathBuf::from);
    let cache = option("--cache").map_or_else(|| here.join("target/engines"), PathBuf::from);
    let corpus = Corpus::read(Path::new(set), &model, &cache)?;
    let sizes = option("--sizes").map_or("10000,100000", String::as_str);
    for size in sizes.split(',') {
        measure(&corpus, size.parse()?, &cache)?;
    }
    Ok(())
}

fn measure(corpus: &Corpus, size: usize, cache: &Path) -> Result<(), Box<dyn Error>> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let vectors = on_cores(size, cores, |n| corpus.chunk(n, size));
    let queries = corpus.queries(if size > 300_000 { 300 } else { 1000 });
    let all: Vec<(u32, &[f32])> = (0_u32..).zip(vectors.iter().map(Vec::as_slice)).collect();

    let dense = Dense::new(DIMENSIONS);
    let began = Instant::now();
    dense.insert_all(&all, cores)?;
    let built = began.elapsed();
    let file = cache.join("snapshot");
    let began = Instant::now();
    let mut to = BufWriter::new(File::create(&file)?);
    dense.save(&mut to)?;
    to.flush()?;
    let saved = began.elapsed();
    drop((to, dense));
    let began = Instant::now();
    let dense = Dense::load(&mut BufReader::new(File::open(&file)?))?;
    let loaded = began.elapsed();
    std::fs::remove_file(&file)?;
    println!(
        "\n{size} vectors: built in {:.1} s by {cores} threads, saved in {:.2} s, loaded in {:.2} s, {:.0} MB per million\n",
        built.as_secs_f64(),
        saved.as_secs_f64(),
        loaded.as_secs_f64(),
        dense.memory_bytes() as f64 / size as f64
    );
    println!("| search | by | recall@10 | µs, 1 thread | µs, {cores} threads |");
    println!("|---|---|---:|---:|---:|");
    let right = on_cores(queries.len(), cores, |n| nearest(&vectors, &queries[n], |_| true));
    let row = |name: &str, effort: Effort, allowed: Option<&Bitmap>, right: &[Vec<u32>]| {
        let (plan, recall, one) = time(&dense, &queries, right, effort, allowed, 1);
        let (_, _, more) = time(&dense, &queries, right, effort, allowed, cores);
        println!("| {name} | {plan} | {recall:.3} | {one:.1} | {more:.1} |");
    };
    for candidates in [20, 30, 40, 60, 80, 100, 150, 200] {
        row(&format!("{candidates} candidates"), Effort::Candidates(candidates), None, &right);
    }
    for recall in [0.9, 0.95, 0.97, 0.99] {
        row(&format!("recall {recall}"), Effort::Recall(recall), None, &right);
    }
    if size <= 200_000 {
        row("exact", Effort::Exact, None, &right);
    }
    for one_in in [2, 10, 25, 100, 1000] {
        let allowed: Bitmap = (0..size as u32).filter(|slot| slot % one_in == 0).collect();
        let right =
            on_cores(queries.len(), cores, |n| nearest(&vectors, &queries[n], |slot| allowed.contains(slot)));
        row(&format!("recall 0.97, one in {one_in}"), Effort::Recall(0.97), Some(&allowed), &right);
    }
    Ok(())
}

/// The plan, the recall, and the microseconds of each search on each of the threads.
fn time(
    dense: &Dense,
    queries: &[Vec<f32>],
    right: &[Vec<u32>],
    effort: Effort,
    allowed: Option<&Bitmap>,
    threads: usize,
) -> (String, f64, f64) {
    let search_all = || {
        let mut scratch = Scratch::default();
        let found = queries.iter().map(|query| dense.search(query, TOP_K, effort, allowed, &mut scratch));
        let found: Vec<_> = found.filter_map(Result::ok).collect();
        (found, format!("{:?}", scratch.plan()).to_lowercase())
    };
    let mut fastest = f64::MAX;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(search_all))));
        fastest = fastest.min(began.elapsed().as_secs_f64() * 1e6 / queries.len() as f64);
    }
    let (found, plan) = search_all();
    let hits = found
        .iter()
        .zip(right)
        .map(|(hits, right)| hits.iter().filter(|hit| right.contains(&hit.slot)).count());
    let (hits, wanted) = (hits.sum::<usize>(), right.iter().map(Vec::len).sum::<usize>());
    (plan, hits as f64 / wanted as f64, fastest)
}

fn nearest(vectors: &[Vec<f32>], query: &[f32], allowed: impl Fn(u32) -> bool) -> Vec<u32> {
    let mut best: Vec<(f32, u32)> = Vec::new();
    let mut least = f32::MIN;
    for (slot, vector) in (0_u32..).zip(vectors).filter(|(slot, _)| allowed(*slot)) {
        let similarity = dot(query, vector);
        if similarity > least {
            best.push((similarity, slot));
        }
        if best.len() == 4 * TOP_K {
            best.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
            best.truncate(TOP_K);
            least = best[TOP_K - 1].0;
        }
    }
    best.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    best.into_iter().take(TOP_K).map(|(_, slot)| slot).collect()
}

/// With several sums at a time, which compilers turn into vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    for (a, b) in a.as_chunks::<16>().0.iter().zip(b.as_chunks::<16>().0) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum()
}

fn on_cores<T: Send>(count: usize, cores: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (each, work) = (count.div_ceil(cores).max(1), &work);
    thread::scope(|scope| {
        let starts = (0..count).step_by(each);
        let workers: Vec<_> = starts
            .map(|first| scope.spawn(move || (first..count.min(first + each)).map(work).collect::<Vec<T>>()))
            .collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).flatten().collect()
    })
}
