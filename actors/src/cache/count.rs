//! What all replicas together have admitted: buckets in Redis, counted by one script in one round trip.
//!
//! * The script reads Redis' own clock, so replicas' clocks do not matter.
//! * All buckets of a request give, or none does: what one of them refuses costs the others nothing.
//! * The connection is one of its own, shared by all calls: a pooled one is asked for a sign of life each time it is
//!   taken, which would be a second round trip.
//!
//! Cancel safety: whoever leaves may have been counted, and the connection is made anew, since a reply may be missing.

use super::CacheHandle;
use super::redis::{Redis, Unavailable};
use crate::resilience::Deadline;
use crate::supervise::{Request, Serve};
use deadpool_redis::redis::Script;
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::{Connection, Pool};
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::sync::Mutex;

const ARITHMETIC: &str = include_str!("count.lua");
/// Counted from a moment that is not long ago, so that a double holds parts of a microsecond.
const CLOCK: &str = "local t = redis.call('TIME')\nlocal now = (t[1] - 1767225600) * 1000000 + t[2]\n";
static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(&format!("{CLOCK}{ARITHMETIC}")));

/// What is asked of one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Its name among all buckets.
    pub bucket: String,
    /// In which one unit comes back.
    pub interval: Duration,
    /// Units that it holds when nobody has asked for a while.
    pub burst: u32,
    pub units: u32,
}

/// How a bucket stands after it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    pub remaining: u32,
    /// Until it is full again.
    pub full_in: Duration,
    /// Until it would have given what was asked for; zero if it has, or would have.
    pub wait: Duration,
}

/// All buckets gave, or none did; their levels in the order they were asked in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    pub admitted: bool,
    pub levels: Vec<Level>,
}

/// What became of a question to Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Count {
    NotConfigured,
    /// Redis did not answer, or is known not to. It may have counted all the same.
    Away,
    Counted(Counted),
}

#[derive(Debug)]
struct Take(Vec<Ask>);

impl Request for Take {
    type Reply = Result<Counted, Unavailable>;
}

impl CacheHandle {
    /// Takes what is asked of every bucket if all of them have it. At most a few at a time, of one tenant.
    ///
    /// # Cancel safety
    /// Dropped, it may have been counted.
    pub async fn count(&self, asks: Vec<Ask>) -> Count {
        let Some(shared) = &self.shared else { return Count::NotConfigured };
        shared.call(Take(asks)).await.map_or(Count::Away, Count::Counted)
    }
}

/// The connection that all calls share, with the pool whose settings it was made of.
pub(super) type Line = Mutex<Option<(Rc<Option<Pool>>, MultiplexedConnection)>>;

impl Serve<Take> for Redis {
    async fn serve(self: Rc<Self>, Take(asks): Take, _: Deadline) -> Result<Counted, Unavailable> {
        let mut connection = self.line().await?;
        let mut script = SCRIPT.prepare_invoke();
        for ask in &asks {
            let interval = ask.interval.as_nanos() as f64 / 1000.0;
            script.key(&ask.bucket).arg(interval).arg(ask.burst).arg(ask.units);
        }
        let suspect = Suspect(&self.line);
        let reply: Vec<i64> = script.invoke_async(&mut connection).await.map_err(|_| Unavailable)?;
        std::mem::forget(suspect);
        read(&reply, asks.len()).ok_or(Unavailable)
    }
}

impl Redis {
    async fn line(&self) -> Result<MultiplexedConnection, Unavailable> {
        let pool = self.pool.get();
        let mut line = self.line.lock().await;
        if let Some((of, connection)) = &*line
            && Rc::ptr_eq(of, &pool)
        {
            return Ok(connection.clone());
        }
        let made = pool.as_ref().as_ref().ok_or(Unavailable)?.get().await.map_err(|_| Unavailable)?;
        let connection = Connection::take(made);
        *line = Some((pool, connection.clone()));
        Ok(connection)
    }
}

/// A connection on which a reply is missing: let go of unless the reply comes.
struct Suspect<'a>(&'a Line);

impl Drop for Suspect<'_> {
    fn drop(&mut self) {
        if let Ok(mut line) = self.0.try_lock() {
            *line = None;
        }
    }
}

fn read(reply: &[i64], buckets: usize) -> Option<Counted> {
    let (admitted, rest) = reply.split_first()?;
    let level = |level: &[i64]| {
        let time = |at: usize| Some(Duration::from_micros(u64::try_from(*level.get(at)?).ok()?));
        Some(Level { remaining: u32::try_from(level[0]).ok()?, full_in: time(1)?, wait: time(2)? })
    };
    let levels: Vec<Level> = rest.chunks_exact(3).map(level).collect::<Option<_>>()?;
    (levels.len() == buckets).then_some(Counted { admitted: *admitted == 1, levels })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mcp_rag_chaos::redis::Redis as Process;
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;
    use std::cell::Cell;

    /// What a bucket is, in whole nanoseconds.
    #[derive(Debug, Clone, Copy)]
    struct Bucket {
        interval: u128,
        burst: u128,
        /// Until it is full.
        missing: u128,
    }

    /// Microseconds since the request before, and units asked of each bucket.
    type Step = (u64, Vec<u32>);

    fn cases() -> impl Strategy<Value = (Vec<(u64, u32)>, Vec<Step>)> {
        (1_usize..=3).prop_flat_map(|buckets| {
            let rates = proptest::collection::vec((100_u64..5_000_000, 1_u32..50), buckets);
            let step = (0_u64..20_000, proptest::collection::vec(1_u32..20, buckets));
            (rates, proptest::collection::vec(step, 1..40))
        })
    }

    #[test]
    fn the_script_gives_what_a_bucket_of_whole_nanoseconds_would_give() {
        let redis = Process::start();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = deadpool_redis::redis::Client::open(redis.url()).expect("an address");
        let connect = client.get_multiplexed_async_connection();
        let connection = runtime.block_on(connect).expect("it answers");
        // The clock is the test's.
        let kept = ARITHMETIC.replace("math.ceil(missing / 1000) + 1", "3600000");
        assert_ne!(kept, ARITHMETIC, "Redis' own clock would forget buckets");
        let script = Script::new(&format!("local now = tonumber(ARGV[#ARGV])\n{kept}"));
        let mut runner = TestRunner::new(ProptestConfig { cases: 64, ..ProptestConfig::default() });
        let run = Cell::new(0);
        let checked = runner.run(&cases(), |(rates, steps)| {
            run.set(run.get() + 1);
            let bucket = |(interval, burst): &(u64, u32)| Bucket {
                interval: u128::from(*interval),
                burst: u128::from(*burst),
                missing: 0,
            };
            let mut model: Vec<Bucket> = rates.iter().map(bucket).collect();
            let mut now = 30_000_000_000_000_u64; // a year
            for (passed, units) in &steps {
                now += passed;
                for bucket in &mut model {
                    bucket.missing = bucket.missing.saturating_sub(u128::from(*passed) * 1000);
                }
                let mut asked = script.prepare_invoke();
                for (at, ((interval, burst), units)) in rates.iter().zip(units).enumerate() {
                    let interval = *interval as f64 / 1000.0;
                    asked.key(format!("{}:{at}", run.get())).arg(interval).arg(*burst).arg(*units);
                }
                asked.arg(now);
                let reply: Vec<i64> =
                    runtime.block_on(asked.invoke_async(&mut connection.clone())).expect("the script runs");
                let counted = read(&reply, rates.len()).expect("a reply for each");
                let after =
                    |(bucket, units): (&Bucket, &u32)| bucket.missing + bucket.interval * u128::from(*units);
                let room = |pair: (&Bucket, &u32)| {
                    let holds = (pair.0.interval * pair.0.burst) as i128;
                    holds - after(pair) as i128
                };
                let tightest = model.iter().zip(units).map(room).min().expect("a bucket");
                // Within two microseconds of the edge either is right.
                if tightest.abs() > 2_000 {
                    prop_assert_eq!(counted.admitted, tightest > 0, "{} ns of room", tightest);
                }
                for ((bucket, units), level) in model.iter_mut().zip(units).zip(&counted.levels) {
                    if counted.admitted {
                        bucket.missing += bucket.interval * u128::from(*units);
                    }
                    let near = |micros: Duration, nanos: u128| micros.as_nanos().abs_diff(nanos) <= 4_000;
                    prop_assert!(near(level.full_in, bucket.missing), "{:?} {:?}", level, bucket);
                    let holds = bucket.interval * bucket.burst;
                    let wait = (bucket.missing + bucket.interval * u128::from(*units)).saturating_sub(holds);
                    prop_assert!(
                        near(level.wait, if counted.admitted { 0 } else { wait }),
                        "{:?} {:?}",
                        level,
                        bucket
                    );
                    let left = holds.saturating_sub(bucket.missing);
                    let off = (u128::from(level.remaining) * bucket.interval).abs_diff(left);
                    prop_assert!(off <= bucket.interval + 4_000, "{:?} {:?}", level, bucket);
                }
            }
            Ok(())
        });
        checked.expect("the script and the model agree");
    }
}
