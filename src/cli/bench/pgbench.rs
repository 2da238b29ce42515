//! PostgreSQL's own load generator on the same database: what the dense query costs without a server
//! in front of it. Same role, row-level security, session settings and number of rows.

use super::lab::Tools;
use super::requests::Question;
use super::traffic::Measured;
use anyhow::{Context, Result, ensure};
use mcp_rag_actors::store::CollectionId;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

const DATABASE: &str = "mcp_rag";
const OWNER: &str = "mcp_rag_owner";
const APP: &str = "mcp_rag_app";

/// What pgbench runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    /// The nearest chunks' ids and similarities: the dense query alone.
    Nearest,
    /// With their documents and texts, as an answer needs them.
    WithTexts,
}

pub(super) struct Pgbench<'a> {
    tools: &'a Tools,
    options: String,
    collection: i64,
    space: i64,
    dimensions: usize,
    top_k: u16,
    queries: usize,
}

impl<'a> Pgbench<'a> {
    /// Writes the queries to a table for pgbench to draw from; [`Self::clean`] removes it.
    pub(super) async fn prepare(
        tools: &'a Tools,
        collection: CollectionId,
        questions: &[Question],
        top_k: u16,
        ef: u16,
        scratch: &Path,
    ) -> Result<Self> {
        let dimensions = questions.first().map_or(0, |question| question.embedding.len());
        let mut sql = format!(
            "DROP SCHEMA IF EXISTS bench CASCADE; CREATE SCHEMA bench; GRANT USAGE ON SCHEMA bench TO {APP};\n\
             CREATE TABLE bench.queries (id int PRIMARY KEY, vector halfvec({dimensions}) NOT NULL);\n\
             ALTER TABLE bench.queries ALTER vector SET STORAGE PLAIN;\n\
             GRANT SELECT ON bench.queries TO {APP};\nCOPY bench.queries FROM stdin;\n"
        );
        for (id, question) in questions.iter().enumerate() {
            writeln!(sql, "{id}\t{}", serde_json::to_string(&question.embedding)?)?;
        }
        sql.push_str("\\.\nANALYZE bench.queries;\n");
        let file = scratch.join("queries.sql");
        std::fs::write(&file, sql)?;
        psql(tools, OWNER, &["-q", "-f", &file.to_string_lossy()]).await?;
        let options = format!(
            "-c mcp_rag.tenant_id=1 -c jit=off -c hnsw.ef_search={ef} -c hnsw.iterative_scan=relaxed_order"
        );
        let find = format!("SELECT space_id FROM embeddings WHERE collection_id = {} LIMIT 1", collection.0);
        let set = "SET mcp_rag.tenant_id = 1";
        let space = psql(tools, APP, &["-qAt", "-c", set, "-c", &find]).await?;
        let space = space.trim().parse().context("the collection has no embeddings")?;
        let queries = questions.len();
        Ok(Self { tools, options, collection: collection.0, space, dimensions, top_k, queries })
    }

    pub(super) async fn clean(&self) -> Result<()> {
        psql(self.tools, OWNER, &["-q", "-c", "DROP SCHEMA bench CASCADE"]).await.map(drop)
    }

    /// The chunks' ids that the dense query finds for the first queries, with so many candidates kept.
    pub(super) async fn found(&self, ef: u16, queries: usize) -> Result<Vec<Vec<usize>>> {
        let Self { collection, space, dimensions, top_k, .. } = self;
        let sql = format!(
            "SELECT array_to_string(ARRAY(SELECT e.chunk_id FROM embeddings e WHERE e.tenant_id = 1 AND e.space_id = {space} \
             AND e.collection_id = ANY ('{{{collection}}}') ORDER BY e.embedding::halfvec({dimensions}) <=> q.vector \
             LIMIT {top_k}), ' ') FROM bench.queries q WHERE id < {queries} ORDER BY id"
        );
        let set = format!(
            "SET mcp_rag.tenant_id = 1; SET hnsw.ef_search = {ef}; SET hnsw.iterative_scan = relaxed_order; \
             SET enable_seqscan = off; SET enable_sort = off"
        );
        let printed = psql(self.tools, APP, &["-qAt", "-c", &set, "-c", &sql]).await?;
        let ids = |line: &str| line.split(' ').filter_map(|id| id.parse().ok()).collect();
        Ok(printed.lines().map(ids).collect())
    }

    fn script(&self, script: Script) -> String {
        let Self { collection, space, dimensions, top_k, queries, .. } = self;
        let query = "(SELECT vector FROM bench.queries WHERE id = :id)";
        let nearest = format!(
            "SELECT e.chunk_id, 1 - (e.embedding::halfvec({dimensions}) <=> {query}) AS similarity FROM embeddings e \
             WHERE e.tenant_id = 1 AND e.space_id = {space} AND e.collection_id = ANY ('{{{collection}}}') \
             ORDER BY e.embedding::halfvec({dimensions}) <=> {query} LIMIT {top_k}"
        );
        let statement = match script {
            Script::Nearest => nearest,
            Script::WithTexts => format!(
                "WITH dense AS MATERIALIZED ({nearest}) \
                 SELECT c.chunk_id, c.document_id, c.collection_id, d.external_id, d.title, d.uri, d.attributes, c.text, \
                 c.headings, c.span_start, c.span_end, c.tokens, similarity::real FROM dense \
                 JOIN chunks c ON c.tenant_id = 1 AND c.chunk_id = dense.chunk_id \
                 JOIN documents d ON d.tenant_id = c.tenant_id AND d.document_id = c.document_id \
                 ORDER BY similarity DESC, c.chunk_id"
            ),
        };
        format!("\\set id random(0, {})\n{statement};\n", queries - 1)
    }

    pub(super) async fn run(
        &self,
        script: Script,
        clients: usize,
        measured: Duration,
        scratch: &Path,
    ) -> Result<Measured> {
        let folder = scratch.join("pgbench");
        let _ = std::fs::remove_dir_all(&folder); // the log of an earlier cell
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("script.sql"), self.script(script))?;
        let threads = clients.min(std::thread::available_parallelism().map_or(1, usize::from));
        let run = async |seconds: Duration, log: bool| {
            let mut command = self.tools.command("pgbench", APP);
            command.env("PGOPTIONS", &self.options).current_dir(&folder);
            command.args(["-n", "-M", "prepared", "-f", "script.sql", "--random-seed=7"]);
            command.args(["-c", &clients.to_string(), "-j", &threads.to_string()]);
            command.args(["-T", &seconds.as_secs().max(1).to_string()]);
            if log {
                command.arg("-l");
            }
            output(command.arg(DATABASE)).await
        };
        run(Duration::from_secs(1), false).await?;
        run(measured, true).await?;
        let mut millis = Vec::new();
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().starts_with("pgbench_log.") {
                continue;
            }
            for line in std::fs::read_to_string(entry.path())?.lines() {
                // client, transaction, microseconds, script, time
                let micros = line.split(' ').nth(2).and_then(|text| text.parse::<f64>().ok());
                millis.push(micros.context("pgbench's log has another form")? / 1e3);
            }
        }
        ensure!(!millis.is_empty(), "pgbench finished no query in time");
        Ok(Measured::of(millis, measured.as_secs().max(1) as f64))
    }
}

impl Tools {
    pub(super) fn command(&self, program: &str, user: &str) -> Command {
        let mut command = Command::new(self.bin_dir.join(program));
        command.arg("-h").arg(&self.socket_dir).args(["-p", &self.port.to_string(), "-U", user]);
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}

/// Runs psql as the given role and returns what it printed.
pub(super) async fn psql(tools: &Tools, user: &str, arguments: &[&str]) -> Result<String> {
    let mut command = tools.command("psql", user);
    output(command.args(["-X", "-d", DATABASE, "-v", "ON_ERROR_STOP=1"]).args(arguments)).await
}

/// Lets another server use the database as an external one, whose login takes the server's role; that login.
pub(super) async fn let_in(tools: &Tools) -> Result<String> {
    psql(tools, "postgres", &["-q", "-c", &format!("GRANT {APP} TO {OWNER}")]).await?;
    let Tools { socket_dir, port, .. } = tools;
    Ok(format!("host='{}' port={port} user={OWNER} dbname={DATABASE}", socket_dir.display()))
}

/// As the owner: so that autovacuum has nothing left to do during the measurement.
pub(super) async fn vacuum(tools: &Tools) -> Result<()> {
    psql(tools, OWNER, &["-q", "-c", "VACUUM ANALYZE"]).await?;
    psql(tools, "postgres", &["-q", "-c", "CHECKPOINT"]).await.map(drop)
}

pub(super) async fn output(command: &mut Command) -> Result<String> {
    let output = command.output().await.context("PostgreSQL's programs cannot be run")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}", error.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
