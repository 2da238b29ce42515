use super::Interrupt;
use super::lab::{Lab, Tools};
use super::load::{self, number_of};
use super::pgbench::{self, Pgbench, Script};
use super::report::{Cell, Report};
use super::requests::{self, Kind, Question, open_body};
use super::source::Source;
use super::synthetic::{RECIPE, Recipe};
use super::traffic::Expect;
use super::{exact, traffic};
use crate::cli::Global;
use crate::cli::client::Client;
use crate::cli::ingest::progress;
use crate::config::Settings;
use anyhow::{Context, Result, ensure};
use clap::Args;
use mcp_rag_actors::store::Collection;
use reqwest::Method;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const COLLECTION: &str = "mcp-rag-bench";
const CLIENTS: [usize; 3] = [1, 4, 16];
const TOP_K: u16 = 10;
/// Sentences that lend chunks their embeddings.
const EMBEDDED: usize = 3000;
const RECALL_QUESTIONS: usize = 100;

#[derive(Debug, Args)]
pub(in crate::cli) struct Search {
    /// Chunks in the collection.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1000..=5_000_000))]
    chunks: u32,
    /// Seconds per cell of the table.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Text to make the chunks from: a set in BEIR layout. Without it: the documents here.
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Keep the data in this folder, and use what an earlier run left there. Without it: a temporary one.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

struct Prepared {
    recipe: Recipe,
    questions: Vec<Question>,
    collection: Collection,
    loaded: Option<Duration>,
    tools: Tools,
}

impl Search {
    pub(super) async fn run(
        self,
        global: &Global,
        mut settings: Settings,
        interrupt: &mut Interrupt,
    ) -> Result<()> {
        let scratch = tempfile::Builder::new().prefix("mcp-rag-bench-").tempdir()?;
        settings.data_dir = self.data_dir.clone().unwrap_or_else(|| scratch.path().join("data"));
        std::fs::create_dir_all(&settings.data_dir)?;
        let began = Instant::now();
        let mut report = self.measure(global, &settings, scratch.path(), interrupt).await?;
        report.took_s = began.elapsed().as_secs_f64();
        report.print(global.json)
    }

    async fn measure(
        &self,
        global: &Global,
        settings: &Settings,
        scratch: &Path,
        interrupt: &mut Interrupt,
    ) -> Result<Report> {
        let source = Source::read(self.corpus.as_deref())?;
        let lab = Lab::open(settings).await?;
        let prepared = interrupt.or(self.prepare(&lab, &source)).await;
        lab.close().await;
        let Prepared { recipe, questions, collection, loaded, tools } = prepared?;

        let began = Instant::now();
        let client = Client::open(global, settings.clone()).await?;
        let mut report = Report {
            chunks: self.chunks,
            source: source.name,
            top_k: TOP_K,
            ef_search: settings.search.ef_search,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            loaded_s: loaded.map(|time| time.as_secs_f64()),
            started_s: began.elapsed().as_secs_f64(),
            ..Report::default()
        };
        let measured = async {
            let depth = usize::from(settings.search.candidates);
            report.recall = self.recall(&client, &recipe, &questions, depth).await?;
            let beside =
                Pgbench::prepare(&tools, settings, collection.id, &questions, TOP_K, scratch).await?;
            let cells = self.cells(&client, &beside, &questions, scratch).await;
            beside.clean().await?;
            report.cells = cells?;
            anyhow::Ok(())
        };
        let measured = interrupt.or(measured).await;
        client.close().await;
        measured.map(|()| report)
    }

    /// Loads the collection and makes the questions.
    async fn prepare(&self, lab: &Lab, source: &Source) -> Result<Prepared> {
        let sentences = source.sentences()?;
        let texts = requests::texts(source, &sentences);
        let embedded = &sentences[..sentences.len().min(EMBEDDED)];
        let bar = progress((embedded.len() + texts.len()) as u64, "sentences embedded");
        let embeddings = Lab::embed(&lab.embedder, embedded, |count| bar.inc(count)).await?;
        let of_questions = Lab::embed(&lab.embedder, &texts, |count| bar.inc(count)).await?;
        bar.finish_and_clear();
        let questions = requests::questions(&texts, &of_questions);
        let recipe = Recipe::new(sentences, embeddings);
        let signature = format!("{} chunks of {}, recipe {RECIPE}", self.chunks, source.name);
        let began = Instant::now();
        let chunks = self.chunks as usize;
        let (collection, there) = load::ensure_loaded(lab, COLLECTION, &signature, &recipe, chunks).await?;
        let loaded = (!there).then(|| began.elapsed());
        if !there {
            pgbench::vacuum(&lab.tools).await?;
        }
        Ok(Prepared { recipe, questions, collection, loaded, tools: lab.tools.clone() })
    }

    async fn cells(
        &self,
        client: &Client,
        beside: &Pgbench<'_>,
        questions: &[Question],
        scratch: &Path,
    ) -> Result<Vec<Cell>> {
        let address = client.base().trim_start_matches("http://").to_owned();
        let measured = Duration::from_secs(self.seconds);
        let bar = progress((CLIENTS.len() * (Kind::ALL.len() + 2)) as u64, "measurements");
        let mut cells = Vec::new();
        for clients in CLIENTS {
            // Side by side in time: what else the machine does changes both alike.
            for (name, script) in
                [("pgbench: nearest", Script::Nearest), ("pgbench: with texts", Script::WithTexts)]
            {
                let result = beside.run(script, clients, measured, scratch).await?;
                cells.push(Cell { name, clients, result });
                bar.inc(1);
            }
            for kind in Kind::ALL {
                let open = |question: &Question| open_body(kind, question, COLLECTION, TOP_K);
                let bodies = Arc::new(questions.iter().map(open).collect::<Vec<String>>());
                let warm_up = Duration::from_secs(1);
                let result =
                    traffic::drive(&address, &bodies, Expect::Fresh, clients, warm_up, measured).await?;
                cells.push(Cell { name: kind.label(), clients, result });
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        Ok(cells)
    }

    async fn recall(
        &self,
        client: &Client,
        recipe: &Recipe,
        questions: &[Question],
        depth: usize,
    ) -> Result<[f64; 3]> {
        let sample: Vec<&Question> = questions.iter().take(RECALL_QUESTIONS).collect();
        let right = exact::search(recipe, self.chunks as usize, &sample, usize::from(TOP_K), depth);
        let mut recall = [0.0; 3];
        let legs = [
            (Kind::Dense, &right.dense),
            (Kind::Lexical, &right.lexical),
            (Kind::HybridVector, &right.hybrid),
        ];
        for ((kind, right), recall) in legs.into_iter().zip(&mut recall) {
            let mut found = Vec::new();
            for question in &sample {
                let body: Value = serde_json::from_str(&requests::unique(
                    &open_body(kind, question, COLLECTION, TOP_K),
                    0,
                ))?;
                let answer = client.json(Method::POST, "/v1/search", Some(&body)).await?;
                let results = answer["results"].as_array().context("no results")?;
                ensure!(!results.is_empty(), "a search of {} found nothing", kind.label());
                found.push(results.iter().filter_map(number_of).collect());
            }
            *recall = exact::recall(&found, right);
        }
        Ok(recall)
    }
}
