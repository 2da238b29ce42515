use super::Interrupt;
use super::lab::{Lab, Tools};
use super::load;
use super::made::Made;
use super::measure::{self, Asked};
use super::pgbench::{self, Pgbench};
use super::report::Report;
use super::requests::Question;
use super::source::Source;
use super::synthetic::{RECIPE, Recipe};
use crate::cli::Global;
use crate::cli::client::Client;
use crate::cli::ingest::progress;
use crate::config::Settings;
use crate::rag::effort;
use anyhow::Result;
use clap::Args;
use mcp_rag_actors::store::Collection;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const COLLECTION: &str = "mcp-rag-bench";
const TOP_K: u16 = 10;

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
    recipe: Arc<Recipe>,
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
        let scratch = super::scratch(&mut settings, self.data_dir.as_deref())?;
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

        let ef = effort::ef(&settings.search, TOP_K, i64::from(self.chunks));
        let began = Instant::now();
        let client = Client::open(global, settings.clone()).await?;
        let mut report = Report {
            chunks: self.chunks,
            source: source.name,
            top_k: TOP_K,
            ef_search: ef,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            loaded_s: loaded.map(|time| time.as_secs_f64()),
            started_s: began.elapsed().as_secs_f64(),
            ..Report::default()
        };
        let measured = async {
            let depth = usize::from(settings.search.candidates);
            let right = measure::right(&recipe, self.chunks as usize, &questions, TOP_K, depth);
            report.recall = measure::recall(&client, &right, &questions, COLLECTION, TOP_K).await?;
            let beside = Pgbench::prepare(&tools, collection.id, &questions, TOP_K, ef, scratch).await?;
            let address = client.base().trim_start_matches("http://").to_owned();
            let measured = Duration::from_secs(self.seconds);
            let asked =
                Asked { address: &address, collection: COLLECTION, top_k: TOP_K, questions: &questions };
            let bar = progress(measure::CELLS as u64, "measurements");
            let cells = measure::cells(&asked, &beside, measured, scratch, &bar).await;
            bar.finish_and_clear();
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
        let Made { recipe, questions } = Made::from(lab, source, self.chunks).await?;
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
}
