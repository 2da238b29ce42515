//! The pods of one release, changed as a Deployment changes them: one more first, then one less.

use super::envoy::Mesh;
use super::pod::{Pod, Template};
use anyhow::Result;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

pub(super) struct Fleet {
    track: &'static str,
    mesh: Arc<Mesh>,
    pub(super) pods: Vec<Pod>,
    ending: JoinSet<Result<Duration>>,
}

impl Fleet {
    pub(super) fn new(track: &'static str, mesh: &Arc<Mesh>) -> Self {
        Self { track, mesh: Arc::clone(mesh), pods: Vec::new(), ending: JoinSet::new() }
    }

    /// So many more, all of them available: ready for `minReadySeconds`.
    pub(super) async fn grow(&mut self, template: &Template, pods: usize) -> Result<()> {
        for _ in 0..pods {
            self.pods.push(Pod::start(template, self.track, &self.mesh).await?);
        }
        tokio::time::sleep(template.timings.min_ready).await;
        Ok(())
    }

    /// `maxUnavailable: 0` with one to spare: a new pod is available before an old one is told to end, and nobody waits for
    /// that end.
    pub(super) async fn roll(&mut self, template: &Template) -> Result<()> {
        for _ in 0..self.pods.len() {
            self.grow(template, 1).await?;
            let old = self.pods.remove(0);
            self.ending.spawn(old.terminate());
        }
        Ok(())
    }

    pub(super) fn end(&mut self) {
        for pod in self.pods.drain(..) {
            self.ending.spawn(pod.terminate());
        }
    }

    /// How long each pod took that was told to end.
    pub(super) async fn ended(&mut self) -> Result<Vec<Duration>> {
        let mut took = Vec::new();
        while let Some(ended) = self.ending.join_next().await {
            took.push(ended??);
        }
        Ok(took)
    }
}
