//! The embedding models of this process, and which of them embeds for which space.
//!
//! The database says which space is searched; `[embedder]` and `[embedder.next]` are the models there are. A space
//! is served by whichever of them has its name and dimensions.

use crate::error::{Code, Error};
use anyhow::{Context, Result};
use mcp_rag_actors::embedder::{EmbedderHandle, EmbedderSettings};
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{ActiveModels, Space, SpaceSpec, StoreHandle};
use mcp_rag_actors::supervise::Tree;
use std::time::Duration;

const LOOK: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub struct Models {
    pub first: EmbedderHandle,
    /// Absent, too, where `[embedder.next]` is another storage for the first one's vectors.
    pub second: Option<EmbedderHandle>,
    /// What a tenant's first space is made for.
    pub spec: SpaceSpec,
    /// What `[embedder.next]` asks for.
    pub next: Option<SpaceSpec>,
}

impl Models {
    /// Starts an actor for each model.
    pub async fn start(tree: &Tree, settings: &EmbedderSettings) -> Result<Self> {
        let first = EmbedderHandle::start(tree, "embedder", settings).await?;
        let spec = spec(&first, settings)?;
        let (mut second, mut next) = (None, None);
        if let Some(settings_of_next) = settings.next() {
            if settings_of_next.names_model_of(settings) {
                next = Some(SpaceSpec { storage: settings_of_next.storage, ..spec.clone() });
            } else {
                let model = EmbedderHandle::start(tree, "embedder_next", &settings_of_next).await?;
                next = Some(self::spec(&model, &settings_of_next)?);
                second = Some(model);
            }
        }
        Ok(Self { first, second, spec, next })
    }

    /// The model that embeds for a space of this kind.
    pub fn of(&self, spec: &SpaceSpec) -> Option<&EmbedderHandle> {
        self.named(&spec.model, spec.dimensions)
    }

    fn named(&self, model: &str, dimensions: i32) -> Option<&EmbedderHandle> {
        let all = std::iter::once(&self.first).chain(&self.second);
        all.into_iter().find(|one| one.model() == model && i32::try_from(one.dimensions()) == Ok(dimensions))
    }

    /// Says in the log which tenants are searched by a model that this process does not have.
    pub async fn compare_with(&self, store: &StoreHandle) {
        let Ok(active) = store.call(ActiveModels, Deadline::within(LOOK)).await else { return };
        for (tenant, model, dimensions) in active {
            if self.named(&model, dimensions).is_none() {
                complain(&tenant, &model, dimensions);
            }
        }
    }
}

fn spec(model: &EmbedderHandle, settings: &EmbedderSettings) -> Result<SpaceSpec> {
    let dimensions = i32::try_from(model.dimensions()).context("the model's vectors are too long")?;
    Ok(SpaceSpec { model: model.model().to_owned(), dimensions, storage: settings.storage })
}

/// The remedy stands in the message: without it every search is by keywords alone.
pub(super) fn complain(tenant: &dyn std::fmt::Display, model: &str, dimensions: i32) {
    tracing::error!(
        %tenant,
        model,
        dimensions,
        "the active embedding space is of a model that is not configured: searches are by keywords alone and documents \
         wait. Configure it as [embedder] or [embedder.next]; to change to another model, build a space for that one \
         beside it (POST /v1/spaces) and activate it"
    );
}

/// What an ingest is told of the same.
pub(super) fn not_configured(space: &Space) -> Error {
    let SpaceSpec { model, dimensions, .. } = &space.spec;
    Error::new(
        Code::Unavailable,
        format!(
            "no configured embedder is the model `{model}` with {dimensions} dimensions of the space {}",
            space.id
        ),
    )
}
