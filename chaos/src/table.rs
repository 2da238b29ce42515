//! The table: one row per fault, each under the load of strict clients, each with a verdict.
//!
//! Rows with equal needs share a world, which is started once; a row that fails ends its world, so
//! that no row inherits another one's damage.

mod faults;
mod list;
mod plan;
mod report;
mod row;
mod scene;
mod verdict;

pub use list::rows;
pub use plan::Plan;
pub use report::{json, markdown};
pub use row::{Fault, How, Row};
pub use verdict::Verdict;

use crate::load::{Load, Phase};
use crate::world::{Needs, Program, World};
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use scene::Scene;
use std::time::Duration;

/// Runs the rows one after the other; a verdict for each.
pub async fn run(program: &Program, plan: &Plan, rows: Vec<Row>) -> Vec<Verdict> {
    let bar = ProgressBar::new(rows.len() as u64);
    let style = ProgressStyle::with_template("{elapsed_precise} {bar:30} {pos}/{len} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut world: Option<(Needs, World)> = None;
    let mut verdicts = Vec::with_capacity(rows.len());
    for row in rows {
        bar.set_message(row.fault.to_string());
        let verdict = match enter(program, &mut world, &row).await {
            Ok(entered) => one(entered, plan, &row, &bar).await,
            Err(error) => Verdict::not_run(&row, &format!("{error:#}")),
        };
        if !verdict.intact || row.fault.ends_world() {
            world = None;
        }
        bar.inc(1);
        bar.suspend(|| println!("{}", report::line(&verdict)));
        verdicts.push(verdict);
    }
    drop(world);
    bar.finish_and_clear();
    verdicts
}

async fn enter<'a>(
    program: &Program,
    world: &'a mut Option<(Needs, World)>,
    row: &Row,
) -> Result<&'a mut World> {
    if world.as_ref().is_none_or(|(needs, _)| *needs != row.needs) {
        *world = None; // the old one ends before the new one begins
        let fresh = Box::pin(World::start(program, &row.needs)).await?;
        *world = Some((row.needs.clone(), fresh));
    }
    let (_, world) = world.as_mut().ok_or_else(|| anyhow::anyhow!("a world was started"))?;
    Ok(world)
}

/// Healthy for a while, the fault and the recovery from it, healthy again; then everything is checked.
async fn one(world: &mut World, plan: &Plan, row: &Row, bar: &ProgressBar) -> Verdict {
    if let Err(error) = world.settle().await {
        return Verdict::not_run(row, &format!("{error:#}"));
    }
    let before = world.server.usage();
    let load = Load::start(&world.target, &world.corpus, &world.ledger, plan.rate);
    tokio::time::sleep(plan.healthy).await;
    load.phase(Phase::Fault);
    let mut scene = Scene::new(world, plan, bar);
    let limit = plan.row_limit;
    let done = tokio::time::timeout(limit, Box::pin(faults::suffer(&row.fault, &mut scene))).await;
    let done = done.unwrap_or_else(|_| Err(anyhow::anyhow!("not over after {limit:?}")));
    let scene = scene.end();
    load.phase(Phase::After);
    tokio::time::sleep(plan.after).await;
    let mut tally = load.finish().await;
    tally.samples.extend(scene.samples);
    let alive = world.server.check_alive();
    let receipts = if alive.is_ok() { Some(world.ledger.verify(&world.target).await) } else { None };
    // What a flood leaves behind is given back after a moment.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let after = world.server.usage();
    let problem = alive.err().or(done.err()).map(|error| format!("{error:#}"));
    Verdict::reach(row, &tally, scene.recoveries, scene.notes, receipts, (before, after), problem)
}
