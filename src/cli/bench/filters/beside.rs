//! Plain pgvector: one table with the vectors and their attributes as JSON, an HNSW index, a `WHERE`.

use super::super::lab::Tools;
use super::super::pgbench::{output, psql};
use super::super::requests::Question;
use super::super::traffic::Measured;
use super::{Selection, TOP_K};
use anyhow::{Context, Result, ensure};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

const OWNER: &str = "mcp_rag_owner";
const EF: u16 = 100;

/// How the index is scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scan {
    Once,
    Iterative,
}

impl Scan {
    pub(super) const ALL: [Self; 2] = [Self::Once, Self::Iterative];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Once => "pgvector",
            Self::Iterative => "pgvector, iterative",
        }
    }

    fn options(self) -> String {
        let iterative = match self {
            Self::Once => "off",
            Self::Iterative => "relaxed_order",
        };
        format!("-c jit=off -c hnsw.ef_search={EF} -c hnsw.iterative_scan={iterative}")
    }
}

pub(super) struct Beside<'a> {
    tools: &'a Tools,
    questions: usize,
}

impl<'a> Beside<'a> {
    pub(super) async fn prepare(tools: &'a Tools, questions: &[Question], scratch: &Path) -> Result<Self> {
        let dimensions = questions.first().map_or(0, |question| question.embedding.len());
        let mut sql = format!(
            "CREATE SCHEMA bench;\n\
             CREATE TABLE bench.queries (id int PRIMARY KEY, vector halfvec({dimensions}) NOT NULL);\n\
             CREATE TABLE bench.plain AS SELECT d.external_id::int AS id, e.embedding::halfvec({dimensions}) AS embedding, \
             d.attributes FROM embeddings e JOIN documents d USING (tenant_id, document_id);\n\
             SET maintenance_work_mem = '1GB'; SET max_parallel_maintenance_workers = 1;\n\
             CREATE INDEX ON bench.plain USING hnsw (embedding halfvec_cosine_ops) WITH (m = 16, ef_construction = 200);\n\
             CREATE INDEX ON bench.plain USING gin (attributes jsonb_path_ops);\n\
             COPY bench.queries FROM stdin;\n"
        );
        for (id, question) in questions.iter().enumerate() {
            writeln!(sql, "{id}\t{}", serde_json::to_string(&question.embedding)?)?;
        }
        sql.push_str("\\.\nANALYZE bench.queries; ANALYZE bench.plain;\n");
        let file = scratch.join("plain.sql");
        std::fs::write(&file, sql)?;
        psql(tools, OWNER, &["-q", "-f", &file.to_string_lossy()]).await?;
        Ok(Self { tools, questions: questions.len() })
    }

    fn query(selection: Selection, vector: &str) -> String {
        format!(
            "SELECT id FROM bench.plain WHERE attributes @> '{{\"{}\": 0}}' ORDER BY embedding <=> {vector} LIMIT {TOP_K}",
            selection.key
        )
    }

    /// What the first questions find.
    pub(super) async fn found(
        &self,
        selection: Selection,
        scan: Scan,
        questions: usize,
    ) -> Result<Vec<Vec<usize>>> {
        let sql = format!(
            "SELECT q.id, found.id FROM bench.queries q LEFT JOIN LATERAL ({}) found ON true WHERE q.id < {questions}",
            Self::query(selection, "q.vector")
        );
        let mut command = self.tools.command("psql", OWNER);
        command.env("PGOPTIONS", scan.options());
        let printed = output(command.args(["-X", "-qAt", "-d", "mcp_rag", "-c", &sql])).await?;
        let mut found = vec![Vec::new(); questions];
        for line in printed.lines() {
            let (question, id) = line.split_once('|').context("psql prints another form")?;
            if let Ok(id) = id.parse() {
                found[question.parse::<usize>()?].push(id);
            }
        }
        Ok(found)
    }

    pub(super) async fn run(
        &self,
        selection: Selection,
        scan: Scan,
        clients: usize,
        measured: Duration,
        scratch: &Path,
    ) -> Result<Measured> {
        let folder = scratch.join("plain");
        let _ = std::fs::remove_dir_all(&folder); // the log of an earlier measurement
        std::fs::create_dir_all(&folder)?;
        let query = Self::query(selection, "(SELECT vector FROM bench.queries WHERE id = :id)");
        std::fs::write(
            folder.join("script.sql"),
            format!("\\set id random(0, {})\n{query};\n", self.questions - 1),
        )?;
        let mut command = self.tools.command("pgbench", OWNER);
        command.env("PGOPTIONS", scan.options()).current_dir(&folder);
        command.args(["-n", "-l", "-M", "prepared", "-f", "script.sql", "--random-seed=7"]);
        command.args(["-c", &clients.to_string(), "-j", &clients.min(2).to_string()]);
        command.args(["-T", &measured.as_secs().max(1).to_string()]);
        output(command.arg("mcp_rag")).await?;
        let mut millis = Vec::new();
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with("pgbench_log.") {
                for line in std::fs::read_to_string(entry.path())?.lines() {
                    // client, transaction, microseconds, script, time
                    let micros = line.split(' ').nth(2).and_then(|text| text.parse::<f64>().ok());
                    millis.push(micros.context("pgbench's log has another form")? / 1e3);
                }
            }
        }
        ensure!(!millis.is_empty(), "pgbench finished no query in time");
        Ok(Measured::of(millis, measured.as_secs().max(1) as f64))
    }
}
