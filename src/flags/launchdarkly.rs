//! LaunchDarkly through its own SDK: values come by a stream into memory and are evaluated there.
//!
//! A rule may name tenants: each is a context of the kind `tenant` with its id as key. Nothing is told to LaunchDarkly but the key:
//! no events, and so no tenants.

use super::transport::{Link, Transport};
use super::{Flag, Switches};
use crate::config::LaunchDarklySettings;
use launchdarkly_server_sdk::{
    Client, ConfigBuilder, Context, ContextBuilder, NullEventProcessorBuilder, ServiceEndpointsBuilder,
    StreamingDataSourceBuilder,
};
use mcp_rag_actors::store::TenantId;
use secrecy::ExposeSecret;
use std::sync::Arc;
use std::time::Duration;

/// First pause before another connection; the SDK doubles it up to half a minute.
const RECONNECT: Duration = Duration::from_millis(500);

pub(super) struct Remote {
    client: Client,
    link: Arc<Link>,
    /// Names at LaunchDarkly, in the order of [`Flag::ALL`].
    names: [String; Flag::ALL.len()],
    anyone: Context,
}

impl Remote {
    pub(super) async fn start(settings: &LaunchDarklySettings) -> Result<Self, String> {
        let link = Arc::new(Link::default());
        let mut source = StreamingDataSourceBuilder::new();
        source.initial_reconnect_delay(RECONNECT).transport(Transport::new(Arc::clone(&link))?);
        let mut endpoints = ServiceEndpointsBuilder::new();
        if let Some(url) = &settings.base_url {
            endpoints.relay_proxy(url);
        }
        let key = settings.sdk_key.as_ref().map_or("", |key| key.expose_secret());
        let config = ConfigBuilder::new(key)
            .service_endpoints(&endpoints)
            .data_source(&source)
            .event_processor(&NullEventProcessorBuilder::new())
            .build();
        let unusable = |error: &dyn std::fmt::Display| format!("flags.launchdarkly cannot be used: {error}");
        let config = config.map_err(|error| unusable(&error))?;
        let client = Client::build(config).map_err(|error| unusable(&error))?;
        let anyone = context("server", "mcp-rag")?;
        client.start_with_default_executor();
        let began = client.wait_for_initialization(Duration::from_millis(settings.wait_ms)).await;
        if began != Some(true) {
            tracing::warn!(
                state = link.state(),
                "LaunchDarkly has not told its flags: those of the settings stand until it does"
            );
        }
        let names = Flag::ALL.map(|flag| format!("{}{}", settings.prefix, flag.as_str().replace('_', "-")));
        Ok(Self { client, link, names, anyone })
    }

    pub(super) fn of(&self, tenant: TenantId, given: Switches) -> Switches {
        match context("tenant", &tenant.to_string()) {
            Ok(tenant) => self.evaluate(&tenant, given),
            Err(_) => given,
        }
    }

    pub(super) fn in_general(&self, given: Switches) -> Switches {
        self.evaluate(&self.anyone, given)
    }

    pub(super) fn state(&self) -> &'static str {
        self.link.state()
    }

    fn evaluate(&self, context: &Context, given: Switches) -> Switches {
        let mut names = self.names.iter();
        Switches::each(|flag| {
            let name = names.next().map_or(flag.as_str(), String::as_str);
            self.client.bool_variation(context, name, given.is_on(flag))
        })
    }
}

fn context(kind: &str, key: &str) -> Result<Context, String> {
    ContextBuilder::new(key).kind(kind).build()
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.client.close();
    }
}
