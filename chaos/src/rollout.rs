//! Releases changed as Kubernetes changes them, under load, behind a real Envoy, with clients that never try twice.
//!
//! The server, PostgreSQL and Envoy are real. Kubelet, Deployment and Flagger are played, each in a file of its own, by the
//! numbers of the manifests ([`manifest`]); every pause may be shortened by one factor, the pace.

mod canary;
mod envoy;
mod fleet;
pub mod manifest;
mod pod;

pub use canary::Verdict;

use crate::model::Model;
use crate::postgres::Cluster;
use crate::proxy::{Fault, Proxy, Upstream};
use crate::rolling::client::{Connection, Request};
use crate::rolling::traffic::{Kind, Tally, Traffic};
use crate::rolling::{fill, slow_chat};
use anyhow::{Context, Result, bail};
use envoy::Envoy;
use fleet::Fleet;
use manifest::{Analysis, Timings};
use pod::{Errand, Template};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Pods of a release; a canary has one.
const PODS: usize = 2;
/// How long all is left alone before and after a change.
const CALM: Duration = Duration::from_secs(2);
const WORKER: &str = "worker";

/// What the drills run on; one serves many.
pub struct Ground {
    cluster: Cluster,
    chat: Model,
    binary: PathBuf,
    timings: Timings,
    pace: f64,
}

/// What is drilled.
#[derive(Debug, Clone)]
pub enum Drill {
    Rolling {
        drained: bool,
    },
    Canary {
        build: Build,
        analysis: Analysis,
        interval: Duration,
    },
    BlueGreen,
    /// The program of the migration before this one.
    Previous(PathBuf),
}

/// A canary's build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    Good,
    /// Its embedder is not there, and its callers do not put up with less.
    Failing,
    /// Its database is far away.
    Slow,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    pub tallies: BTreeMap<Kind, Tally>,
    /// How long each pod took to end.
    pub stops: Vec<Duration>,
    pub verdict: Option<Verdict>,
    pub took: Duration,
}

impl Report {
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.tallies.values().map(|tally| tally.requests).sum()
    }

    #[must_use]
    pub fn failed(&self) -> u64 {
        self.tallies.values().map(|tally| tally.failed).sum()
    }

    /// Requests that this track answered, and those of them that failed.
    #[must_use]
    pub fn of_track(&self, track: &str) -> (u64, u64) {
        let of_it = self.tallies.values().filter_map(|tally| tally.tracks.get(track));
        of_it.fold((0, 0), |sum, (requests, failed)| (sum.0 + requests, sum.1 + failed))
    }
}

impl Ground {
    /// A database and a chat model that takes its time.
    ///
    /// # Panics
    /// When PostgreSQL is not set up.
    #[must_use]
    pub fn prepare(binary: PathBuf, timings: &Timings, pace: f64) -> Self {
        let cluster = Cluster::start();
        Self { cluster, chat: slow_chat(), binary, timings: timings.at(pace), pace }
    }

    fn template(&self, binary: &Path, database: &str) -> Template {
        let settings = vec![
            "generator.kind=openai".to_owned(),
            format!("generator.base_url={}", self.chat.url()),
            "generator.model=drill".to_owned(),
        ];
        let (binary, timings) = (binary.to_owned(), self.timings.clone());
        Template { binary, database: self.cluster.url(database), timings, settings }
    }

    /// # Errors
    /// When a pod or the proxy does not do its part; failed requests are no errors but the result.
    pub async fn run(&self, drill: &Drill) -> Result<Report> {
        let name = format!("drill_{}", fastrand::u32(..));
        let statement = format!("CREATE DATABASE {name}");
        tokio::task::block_in_place(|| self.cluster.run("postgres", &statement));
        let mut template = self.template(&self.binary, &name);
        if let Drill::Rolling { drained: false } = drill {
            template.timings = template.timings.without_drain();
        }
        let old = match drill {
            Drill::Previous(binary) => Template { binary: binary.clone(), ..template.clone() },
            Drill::Rolling { .. } | Drill::Canary { .. } | Drill::BlueGreen => template.clone(),
        };
        Errand::start(&old, "migrate")?.succeeds().await?;
        let worker = Errand::start(&old, WORKER)?;
        let envoy = Envoy::start(self.pace).await?;
        let mut primary = Fleet::new("primary", envoy.mesh());
        let mut canary = Fleet::new("canary", envoy.mesh());
        primary.grow(&old, PODS).await?;
        fill(primary.pods[0].port).await?;
        let degrade = if matches!(drill, Drill::Canary { .. }) { "forbid" } else { "allow" };
        tokio::time::sleep(CALM).await;
        let traffic = Traffic::of(envoy.port, &Kind::ALL, degrade);
        tokio::time::sleep(CALM).await;
        let began = Instant::now();
        let verdict = match drill {
            Drill::Rolling { .. } => {
                primary.roll(&template).await?;
                None
            }
            Drill::BlueGreen => {
                blue_green(&template, &envoy, &mut primary, &mut canary).await?;
                None
            }
            Drill::Canary { build, analysis, interval } => {
                let (bad, proxy) = self.build(*build, &template)?;
                canary.grow(&bad, 1).await?;
                if let Some(proxy) = &proxy {
                    // A round trip; a new search makes two, one after the other.
                    let delay = Duration::from_secs_f64(analysis.limits.p95 * 0.8);
                    proxy.set(Fault::Latency { delay, jitter: Duration::ZERO });
                }
                let verdict = canary::analyse(analysis, *interval, [&primary, &canary], envoy.mesh()).await?;
                if verdict == Verdict::Promoted {
                    // The primary becomes what the canary is, and takes all of it back.
                    primary.roll(&template).await?;
                    envoy.mesh().route(&[100, 0])?;
                }
                tokio::time::sleep(self.timings.drain).await;
                if let Some(proxy) = &proxy {
                    proxy.heal();
                }
                canary.end();
                Some(verdict)
            }
            Drill::Previous(_) => {
                Errand::start(&template, "migrate")?.succeeds().await.context("the new program migrates")?;
                // Old ones on the new schema, then side by side with new ones, on both sides of the queue.
                tokio::time::sleep(CALM).await;
                let _new_worker = Errand::start(&template, WORKER)?;
                canary.grow(&template, PODS).await?;
                envoy.mesh().route(&[50, 50])?;
                tokio::time::sleep(CALM * 2).await;
                envoy.mesh().route(&[100, 0])?;
                primary.roll(&template).await?;
                canary.end();
                None
            }
        };
        let mut stops = primary.ended().await?;
        stops.append(&mut canary.ended().await?);
        tokio::time::sleep(CALM).await;
        let took = began.elapsed();
        let tallies = traffic.finish().await;
        drop(worker);
        Ok(Report { tallies, stops, verdict, took })
    }

    /// The same program, made bad by what it is given.
    fn build(&self, build: Build, good: &Template) -> Result<(Template, Option<Proxy>)> {
        let mut template = good.clone();
        match build {
            Build::Good => Ok((template, None)),
            Build::Failing => {
                let nobody = crate::free_port();
                template.settings.extend([
                    "embedder.kind=openai".to_owned(),
                    format!("embedder.base_url=http://127.0.0.1:{nobody}"),
                    "embedder.model=all-MiniLM-L6-v2".to_owned(),
                    "embedder.dimensions=384".to_owned(),
                ]);
                Ok((template, None))
            }
            Build::Slow => {
                let proxy = Proxy::start(Upstream::Tcp(([127, 0, 0, 1], self.cluster.port()).into()));
                let (real, far) = (self.cluster.port(), proxy.address().port());
                template.database = good.database.replace(&format!(":{real}/"), &format!(":{far}/"));
                if template.database == good.database {
                    bail!("the database's address has no port");
                }
                Ok((template, Some(proxy)))
            }
        }
    }
}

/// Green is made beside blue, tried, and gets all requests at once; back to blue, and to green for good.
async fn blue_green(template: &Template, envoy: &Envoy, blue: &mut Fleet, green: &mut Fleet) -> Result<()> {
    green.grow(template, PODS).await?;
    for pod in &green.pods {
        let body = "{\"query\": \"harbour\"}";
        let headers = &[("content-type", "application/json")];
        let search = Request { line: "POST /v1/search", headers, body };
        let tried = Connection::to(pod.port).ask(&search, |_| {}).await;
        if let Err(failure) = tried {
            bail!("green fails its smoke test: {failure}");
        }
    }
    for weights in [[0, 100], [100, 0], [0, 100]] {
        envoy.mesh().route(&weights)?;
        tokio::time::sleep(CALM).await;
    }
    blue.end();
    Ok(())
}
