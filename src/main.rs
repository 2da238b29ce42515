use clap::Parser;
use mcp_rag::cli::{Cli, run};
use std::process::ExitCode;

/// The system's keeps what many threads freed in as many places: after half an hour of faults and restarts,
/// twice as much as was in use.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    run(Cli::parse())
}
