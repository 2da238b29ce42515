use crate::model::{Behaviour, Endpoint, Model};
use crate::table::scene::{Probe, Scene};
use anyhow::{Context, Result, ensure};
use std::time::Instant;

pub(super) async fn misbehave(
    scene: &mut Scene<'_>,
    endpoint: Endpoint,
    behaviour: &Behaviour,
) -> Result<()> {
    let probe = match endpoint {
        Endpoint::Chat => Probe::Answer,
        Endpoint::Embeddings | Endpoint::Rerank => Probe::Search,
    };
    let asked = model(scene)?.requests(endpoint);
    for _ in 0..scene.plan.outages {
        model(scene)?.set(endpoint, behaviour.clone());
        scene.hold_out().await;
        let since = Instant::now();
        model(scene)?.heal();
        scene.recover(probe, since).await?;
    }
    let asked = model(scene)?.requests(endpoint) - asked;
    ensure!(asked > 0, "nobody asked the model: the row shows nothing");
    scene.note(format!("{asked} calls reached it"));
    Ok(())
}

fn model<'a>(scene: &'a Scene<'_>) -> Result<&'a Model> {
    scene.world.model.as_ref().context("this world has a model server")
}
