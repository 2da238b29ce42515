//! How large things are: in the database, and in memory.

use super::super::lab::Tools;
use super::super::pgbench::psql;
use anyhow::{Context, Result};
use serde::Serialize;
use std::path::Path;

const MB: f64 = 1024.0 * 1024.0;

#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Sizes {
    pub(super) vector_index_mb: f64,
    pub(super) lexical_index_mb: f64,
    pub(super) database_mb: f64,
}

pub(super) async fn sizes(tools: &Tools) -> Result<Sizes> {
    let of = |method: &str| {
        format!(
            "(SELECT coalesce(sum(pg_relation_size(c.oid)), 0) FROM pg_class c JOIN pg_am m ON m.oid = c.relam \
             WHERE m.amname = '{method}' AND c.relkind = 'i' AND c.relnamespace = 'public'::regnamespace)"
        )
    };
    let sql = format!("SELECT {}, {}, pg_database_size(current_database())", of("hnsw"), of("gin"));
    let printed = psql(tools, "postgres", &["-qAt", "-F", " ", "-c", &sql]).await?;
    let bytes: Vec<f64> = printed.split_whitespace().filter_map(|part| part.parse().ok()).collect();
    let [vector, lexical, database] = bytes[..] else {
        anyhow::bail!("the sizes have another form");
    };
    Ok(Sizes { vector_index_mb: vector / MB, lexical_index_mb: lexical / MB, database_mb: database / MB })
}

/// Resident memory in MB: of the server, and of all processes of its PostgreSQL, what they share counted once.
/// Absent where the kernel does not tell.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Memory {
    pub(super) server_mb: Option<f64>,
    pub(super) postgres_mb: Option<f64>,
}

pub(super) fn memory(server: u32, data_dir: &Path) -> Memory {
    Memory {
        server_mb: share(server, "Rss:").ok(),
        postgres_mb: postmaster(data_dir)
            .and_then(|postmaster| {
                Ok(children(postmaster)?.into_iter().filter_map(|pid| share(pid, "Pss:").ok()).sum())
            })
            .ok(),
    }
}

fn postmaster(data_dir: &Path) -> Result<u32> {
    let text = std::fs::read_to_string(data_dir.join("postgres/postmaster.pid"))?;
    text.lines().next().and_then(|line| line.trim().parse().ok()).context("no process id")
}

/// A process and those it started.
fn children(parent: u32) -> Result<Vec<u32>> {
    let mut all = vec![parent];
    for entry in std::fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        // The name, in brackets, may hold anything; what follows is the state and the parent.
        let parent_of = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
        if parent_of == Some(parent) {
            all.push(pid);
        }
    }
    Ok(all)
}

fn share(pid: u32, field: &str) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)).context("no such field")?;
    let kilobytes: f64 = line.split_whitespace().next().context("no number")?.parse()?;
    Ok(kilobytes / 1024.0)
}
