//! The worker: leases tasks and carries them out.
//!
//! * It is a supervised service; a panic in it ends only this incarnation, and the next one takes up what it held.
//! * Any number of workers, in servers and in processes of their own, share the queue; tenants take turns, and what
//!   somebody waits for goes before bulk (`migrations/V6__work.sql`).
//! * A dependency that is away delays: the task is put off with growing pauses, and the worker with it.
//! * Told to stop, it lets go of what is under way and gives its leases back, so that another worker goes on at
//!   once; only a process that was killed lets them run out.

use super::carry_out::{Outcome, carry_out, persist};
use super::sweep::sweep;
use crate::error::Error;
use crate::rag::Rag;
use mcp_rag_actors::resilience::{Backoff, Deadline};
use mcp_rag_actors::store::{
    ClaimTasks, EndedJobs, FinishJob, JobId, ReleaseLeases, RenewLeases, Task, TaskId, TenantId,
};
use mcp_rag_actors::supervise::{Lifeline, Service};
use mcp_rag_actors::trace::TARGET;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{Instrument, info_span};

/// How soon a task queued by another process is noticed.
const IDLE_POLL: Duration = Duration::from_secs(1);
const MEND: Duration = Duration::from_secs(60);
/// One step of the work: a statement, or embedding a batch behind a busy queue.
pub(super) const STEP: Duration = Duration::from_secs(60);
/// Giving leases back: a statement. Without it they run out by themselves.
const RELEASE: Duration = Duration::from_secs(3);
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(10) };

/// The `jobs` service; its work is one task on its own arbiter.
pub struct Worker {
    task: RefCell<tokio::task::JoinHandle<()>>,
    stopping: watch::Sender<bool>,
}

impl Service for Worker {
    async fn stop(self: Rc<Self>) {
        self.stopping.send_replace(true);
        // Never aborted here: a lease must not be taken by a statement nobody hears the end of.
        let mut task = self.task.replace(actix_rt::spawn(async {}));
        let _ = timeout(RELEASE * 2, &mut task).await;
        task.abort();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.task.get_mut().abort();
    }
}

impl Worker {
    /// A name for all incarnations of one process's worker.
    pub fn name() -> Arc<str> {
        format!("{}-{}", std::process::id(), uuid::Uuid::new_v4().simple()).into()
    }

    pub fn start(rag: Arc<Rag>, name: Arc<str>, lifeline: &Lifeline) -> Self {
        let stopping = watch::Sender::new(false);
        let told = stopping.subscribe();
        let desk = Desk { rag, name, lifeline: lifeline.clone(), held: RefCell::default() };
        let task = lifeline.spawn(desk.work(told));
        Self { task: RefCell::new(task), stopping }
    }
}

type Key = (TenantId, TaskId);

/// One incarnation's work.
struct Desk {
    rag: Arc<Rag>,
    name: Arc<str>,
    lifeline: Lifeline,
    /// What is under way, of which job, and how to end it.
    held: RefCell<HashMap<Key, (JobId, AbortHandle)>>,
}

impl Desk {
    /// Works until told to stop, and then holds no lease any more.
    async fn work(self, stopping: watch::Receiver<bool>) {
        self.release(true).await; // what the incarnation before this one held
        tokio::select! {
            () = self.supply(stopping) => {}
            () = self.keep_leases() => {}
            () = self.mend() => {}
            () = sweep(&self.rag, &self.name) => {}
        }
        self.release(false).await;
    }

    fn lease(&self) -> Duration {
        Duration::from_millis(self.rag.settings().ingest.lease_ms)
    }

    /// Takes tasks whenever there is room for some, and sees them end.
    async fn supply(&self, mut stopping: watch::Receiver<bool>) {
        let mut under_way = JoinSet::new();
        let (mut failures, mut pause_until) = (0, Instant::now());
        while !*stopping.borrow_and_update() {
            let room = self.rag.settings().ingest.concurrency.saturating_sub(self.held.borrow().len());
            let paused = Instant::now() < pause_until;
            // In handfuls: a claim costs a round trip.
            let mut queue_is_empty = false;
            if !paused && room > 0 && room * 2 >= self.rag.settings().ingest.concurrency {
                match self.claim(room).await {
                    Ok(tasks) => {
                        queue_is_empty = tasks.is_empty();
                        if queue_is_empty {
                            self.end_jobs(false).await;
                        }
                        for task in tasks {
                            self.begin(task, &mut under_way);
                        }
                    }
                    Err(error) => {
                        failures += 1;
                        pause_until = Instant::now() + BACKOFF.delay(failures, 0.5);
                        tracing::warn!(%error, "no task can be leased for now");
                        continue;
                    }
                }
            }
            tokio::select! {
                _ = stopping.changed() => {}
                Some(ended) = under_way.join_next(), if !under_way.is_empty() => match ended {
                    Ok((key, Outcome::Done)) => {
                        (failures, pause_until) = (0, Instant::now());
                        self.end(key, &mut under_way);
                    }
                    Ok((key, Outcome::PutOff)) => {
                        failures += 1;
                        pause_until = Instant::now() + BACKOFF.delay(failures, 0.5);
                        self.held.borrow_mut().remove(&key);
                    }
                    Ok((key, Outcome::Later)) => {
                        self.held.borrow_mut().remove(&key);
                    }
                    Ok((_, Outcome::Finished)) => self.rag.progress.advance(),
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    Err(_) => {} // its lease was lost
                },
                () = sleep_until(pause_until), if paused => {}
                _ = timeout(IDLE_POLL, self.rag.progress.arrived.notified()), if queue_is_empty => {}
            }
        }
    }

    async fn claim(&self, room: usize) -> Result<Vec<Task>, Error> {
        let most = i32::try_from(room).unwrap_or(i32::MAX);
        let claim = ClaimTasks { worker: Arc::clone(&self.name), lease: self.lease(), most };
        Ok(self.rag.all.call(claim, Deadline::within(STEP)).await?)
    }

    fn begin(&self, task: Task, under_way: &mut JoinSet<(Key, Outcome)>) {
        let (rag, lifeline) = (Arc::clone(&self.rag), self.lifeline.clone());
        let (job, key) = (task.claim.job, (task.claim.tenant, task.claim.task));
        let span = info_span!(target: TARGET, "task", otel.kind = "consumer", %job, task = %key.1);
        let work = async move {
            lifeline.failpoint("work");
            (key, carry_out(&rag, task).await)
        };
        let handle = under_way.spawn_local(work.instrument(span));
        self.held.borrow_mut().insert(key, (job, handle));
    }

    /// The last of a job's tasks here ends the job, if it was the last anywhere.
    fn end(&self, key: Key, under_way: &mut JoinSet<(Key, Outcome)>) {
        self.rag.progress.advance();
        let mut held = self.held.borrow_mut();
        let Some((job, _)) = held.remove(&key) else { return };
        if held.iter().any(|((tenant, _), (other, _))| (*tenant, *other) == (key.0, job)) {
            return;
        }
        let rag = Arc::clone(&self.rag);
        under_way.spawn_local(async move {
            finish(&rag, key.0, job).await;
            (key, Outcome::Finished)
        });
    }

    async fn keep_leases(&self) {
        loop {
            sleep(self.lease() / 3).await;
            let before: Vec<Key> = self.held.borrow().keys().copied().collect();
            let tasks = before.iter().map(|(_, task)| *task).collect();
            let renew = RenewLeases { worker: Arc::clone(&self.name), lease: self.lease(), tasks };
            // Unreachable is not lost: another worker may take over only after the lease.
            let Ok(still) = self.rag.all.call(renew, Deadline::within(self.lease())).await else {
                continue;
            };
            for lost in before.iter().filter(|key| !still.contains(key)) {
                if let Some((job, handle)) = self.held.borrow_mut().remove(lost) {
                    tracing::info!(%job, task = %lost.1, "lease lost, or job cancelled");
                    handle.abort();
                }
            }
        }
    }

    async fn mend(&self) {
        loop {
            self.end_jobs(true).await;
            sleep(MEND).await;
        }
    }

    /// Ends jobs that have nothing left to do, though no worker did their last task.
    async fn end_jobs(&self, adopt: bool) {
        let Ok(jobs) = self.rag.all.call(EndedJobs { adopt }, Deadline::within(STEP)).await else { return };
        for (tenant, job) in jobs {
            finish(&self.rag, tenant, job).await;
            self.rag.progress.advance();
        }
    }

    async fn release(&self, crashed: bool) {
        let release = ReleaseLeases { worker: Arc::clone(&self.name), crashed };
        match self.rag.all.call(release, Deadline::within(RELEASE)).await {
            Ok(0) => {}
            Ok(tasks) => tracing::info!(tasks, "leases given back"),
            Err(error) => tracing::warn!(%error, "leases not given back: they run out by themselves"),
        }
    }
}

async fn finish(rag: &Rag, tenant: TenantId, id: JobId) {
    let finish = FinishJob { tenant, id };
    if let Err(error) = persist(|| rag.all.call(finish.clone(), Deadline::within(STEP))).await {
        tracing::warn!(%error, job = %id, "the job's end will be written later");
    }
}
