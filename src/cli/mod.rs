//! The command line: a server, and clients of it. A client command without `--server` starts the
//! same server inside the process for as long as it needs it, so that there is one way to do a thing.

mod ask;
mod audit;
mod beir;
mod bench;
mod check;
mod client;
mod eval;
mod export;
mod health;
mod ingest;
mod keys;
mod mcp;
mod metrics;
mod migrate;
mod parse;
mod search;
mod serve;
mod spaces;
mod tuning;
mod walk;

use crate::app::{Origin, Role};
use crate::config::{ConfigError, Environment, Loaded, Settings, Sources};
use crate::telemetry::Telemetry;
use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// sysexits.h: the configuration is wrong.
const EX_CONFIG: u8 = 78;

#[derive(Debug, Parser)]
#[command(
    name = "mcp-rag",
    version,
    about = "Retrieval for AI agents: ingest, search, answer with verified citations"
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Folder with default.toml and one file per environment, over the built-in ones.
    #[arg(long, global = true, env = "MCP_RAG_CONFIG_DIR")]
    config_dir: Option<PathBuf>,
    /// development, staging or production.
    #[arg(long, global = true, env = "MCP_RAG_ENV", default_value = "development")]
    env: Environment,
    /// Print JSON for machines.
    #[arg(long, global = true)]
    json: bool,
    /// Act on this running server instead of the embedded database.
    #[arg(long, global = true, env = "MCP_RAG_SERVER", value_name = "URL")]
    server: Option<String>,
    /// Trust the authorities in this PEM file, too, when calling `--server`.
    #[arg(long, global = true, env = "MCP_RAG_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Override one setting, e.g. --set server.port=9000.
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = pair)]
    overrides: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve,
    /// Work on the queue, beside servers on the same database.
    Worker,
    /// Speak the Model Context Protocol over standard input and output.
    Mcp(mcp::Mcp),
    /// Ingest files and folders into a collection.
    Ingest(ingest::Ingest),
    /// Write a collection to a file of NDJSON.
    Export(export::Export),
    /// Take in what an export wrote.
    Import(export::Import),
    /// Search and print the best chunks.
    Search(search::Search),
    /// Ask a question and print the answer with its citations.
    Ask(ask::Ask),
    /// Measure retrieval quality on a set in BEIR layout.
    Eval(eval::Eval),
    /// Measure speed, beside what it is to be compared with.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Embedding spaces: change the model or its precision without a pause.
    #[command(subcommand)]
    Spaces(spaces::Spaces),
    /// API keys: who may call, and what for.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// The audit log: who did what, newest first.
    Audit(audit::Audit),
    /// Tenants, who see nothing of each other.
    #[command(subcommand)]
    Tenants(keys::Tenants),
    #[command(hide = true)]
    Parse(parse::Parse),
    /// Ask a server's probes whether it can answer; status 1 when not.
    Health(health::Health),
    /// Bring the database schema up to date.
    Migrate,
    /// Look at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the OpenAPI document.
    Openapi,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print the effective settings, secrets redacted, with the source of each.
    Check,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl Global {
    fn sources(&self) -> Sources {
        let config_dir =
            self.config_dir.clone().or_else(|| Some(PathBuf::from("config")).filter(|dir| dir.is_dir()));
        Sources { environment: self.env, config_dir, flags: self.overrides.clone() }
    }
}

/// Runs one command and turns its outcome into an exit status.
pub fn run(cli: Cli) -> ExitCode {
    if let Command::Parse(parse) = &cli.command {
        // No settings, no clients, no threads: as little as can be is exposed to a document.
        return parse.run().unwrap_or_else(|error| complain(&error, 1));
    }
    // The one place that chooses a TLS implementation, for every client in the process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let sources = cli.global.sources();
    let Loaded { settings, values } = match Loaded::load(&sources) {
        Ok(loaded) => loaded,
        Err(error) => return complain(&anyhow::Error::new(error), EX_CONFIG),
    };
    let serving = matches!(cli.command, Command::Serve | Command::Worker);
    // Clients are quiet unless something is wrong; the server tells what it does.
    let telemetry = if serving {
        match Telemetry::start(&settings.log, &settings.tracing, settings.environment) {
            Ok(telemetry) => telemetry,
            Err(error) => return complain(&error, EX_CONFIG),
        }
    } else {
        Telemetry::quiet(&settings.log)
    };
    let origin = Origin { sources, values, log: telemetry.level() };
    let outcome = actix_web::rt::System::new().block_on(dispatch(cli, settings, origin));
    telemetry.stop();
    match outcome {
        Ok(code) => code,
        Err(error) if error.is::<ConfigError>() => complain(&error, EX_CONFIG),
        Err(error) => complain(&error, 1),
    }
}

async fn dispatch(cli: Cli, settings: Settings, origin: Origin) -> Result<ExitCode> {
    let Cli { global, command } = cli;
    match command {
        Command::Serve => serve::run(settings, origin, Role::Serve).await,
        Command::Worker => serve::run(settings, origin, Role::Work).await,
        Command::Mcp(mcp) => Box::pin(mcp.run(&global, settings)).await,
        Command::Ingest(ingest) => Box::pin(ingest.run(&global, settings)).await,
        Command::Export(export) => Box::pin(export.run(&global, settings)).await,
        Command::Import(import) => Box::pin(import.run(&global, settings)).await,
        Command::Search(search) => Box::pin(search.run(&global, settings)).await,
        Command::Ask(ask) => Box::pin(ask.run(&global, settings)).await,
        Command::Eval(eval) => Box::pin(eval.run(&global, settings)).await,
        Command::Bench(bench) => Box::pin(bench.run(&global, settings)).await,
        Command::Spaces(spaces) => Box::pin(spaces.run(&global, settings)).await,
        Command::Keys(keys) => Box::pin(keys.run(&global, settings)).await,
        Command::Audit(audit) => Box::pin(audit.run(&global, settings)).await,
        Command::Tenants(tenants) => Box::pin(tenants.run(&global, settings)).await,
        Command::Parse(parse) => parse.run(),
        Command::Health(health) => health.run(&global, &settings).await,
        Command::Migrate => migrate::run(&global, settings).await,
        Command::Config(ConfigCommand::Check) => check::run(&global),
        Command::Openapi => {
            out(&crate::http::openapi_document());
            Ok(ExitCode::SUCCESS)
        }
    }
}

#[expect(clippy::print_stderr, reason = "the command line's own errors are for the person who typed it")]
fn complain(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("mcp-rag: {error:#}");
    ExitCode::from(code)
}

/// A line of a command's result; a reader that went away is no error (`mcp-rag … | head`).
fn out(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
