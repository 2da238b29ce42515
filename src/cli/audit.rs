//! `mcp-rag audit`: who did what, newest first; of a server's tenant, or in the database itself.

use super::client::{Client, segment};
use super::keys::tenant;
use super::{Global, out};
use crate::app::Bare;
use crate::audit::NOBODY;
use crate::config::Settings;
use crate::http::EntryView;
use anyhow::{Result, bail};
use clap::Args;
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::ListEntries;
use reqwest::Method;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(super) struct Audit {
    /// How many entries, 1 to 100.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=100))]
    limit: u16,
    /// Only what this credential did: `token`, or a key's id.
    #[arg(long)]
    actor: Option<String>,
    /// Only what was refused.
    #[arg(long)]
    denied: bool,
    /// What came with no known credential, in the database itself.
    #[arg(long)]
    unknown: bool,
    /// Whose entries, in the database itself.
    #[arg(long, value_name = "NAME", conflicts_with = "unknown")]
    tenant: Option<String>,
}

impl Audit {
    pub(super) async fn run(self, global: &Global, settings: Settings) -> Result<ExitCode> {
        let entries = if global.server.is_some() {
            if self.unknown || self.tenant.is_some() {
                bail!("--unknown and --tenant are for the database itself: leave --server out");
            }
            let client = Client::open(global, settings).await?;
            let page = client.json(Method::GET, &self.path(), None).await;
            client.close().await;
            page?["data"].as_array().cloned().unwrap_or_default()
        } else {
            let bare = Bare::start(settings).await?;
            let listed = self.read(&bare).await;
            bare.stop().await;
            listed?
        };
        let text = || entries.iter().map(line).collect::<Vec<_>>().join("\n");
        out(&if global.json { json!({ "data": entries }).to_string() } else { text() });
        Ok(ExitCode::SUCCESS)
    }

    fn path(&self) -> String {
        let actor = self.actor.as_deref().map(|actor| format!("&actor={}", segment(actor)));
        format!("/v1/audit?limit={}&denied={}{}", self.limit, self.denied, actor.unwrap_or_default())
    }

    async fn read(&self, bare: &Bare) -> Result<Vec<Value>> {
        let tenant = if self.unknown { NOBODY } else { tenant(bare, self.tenant.as_deref()).await? };
        let list = ListEntries {
            tenant,
            after: None,
            actor: self.actor.clone(),
            denied: self.denied,
            since: None,
            limit: self.limit.into(),
        };
        let entries = bare.store.call(list, Deadline::within(LIMIT)).await?;
        let views = entries.into_iter().take(self.limit.into()).map(EntryView::from);
        Ok(views.map(serde_json::to_value).collect::<Result<_, _>>()?)
    }
}

fn line(entry: &Value) -> String {
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    format!(
        "{} {:<10} {} {} {} {}",
        text("at"),
        text("actor"),
        entry["status"],
        text("action"),
        text("target"),
        text("peer")
    )
}
