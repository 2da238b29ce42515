//! Netflix's Gradient2: the limit follows the ratio of the usual latency to the present one.
//!
//! Latency far above the usual means a queue somewhere behind us, so fewer calls are let in; latency as
//! usual lets the limit creep up again. Time is passed in; nothing here knows what a call is.

use std::time::{Duration, Instant};

/// How an adaptive limit moves.
#[derive(Debug, Clone, Copy)]
pub struct LimiterSettings {
    pub initial: usize,
    pub min: usize,
    pub max: usize,
    /// Share of each step that is taken, 0–1: low is steady, high is quick.
    pub smoothing: f64,
    /// Latency may be this many times the usual one before the limit falls.
    pub tolerance: f64,
}

impl Default for LimiterSettings {
    fn default() -> Self {
        Self { initial: 50, min: 20, max: 200, smoothing: 0.2, tolerance: 1.5 }
    }
}

/// Calls let in beyond what the gradient says: the room in which the limit finds that it may grow.
const HEADROOM: f64 = 4.0;
/// Samples are averaged over this long, so that one odd call moves nothing.
const WINDOW: Duration = Duration::from_millis(100);
const WINDOW_SAMPLES: u32 = 10;
/// Weight of one window in the usual latency: about a minute's worth of windows.
const USUAL: f64 = 1.0 / 600.0;
/// The first windows count more, so that the usual latency is not what the very first call took.
const WARM_UP: u32 = 10;
/// When calls are dropped outright, whatever the latency says.
const DROP_FACTOR: f64 = 0.9;

#[derive(Debug)]
pub(crate) struct Gradient {
    settings: LimiterSettings,
    limit: f64,
    /// Seconds; the slow average.
    usual: f64,
    windows: u32,
    window: Sampled,
}

#[derive(Debug, Default)]
struct Sampled {
    began: Option<Instant>,
    samples: u32,
    seconds: f64,
    /// Most calls in flight at once.
    busiest: usize,
    dropped: bool,
}

impl Gradient {
    pub(crate) fn new(settings: LimiterSettings) -> Self {
        let min = settings.min.max(1);
        let settings = LimiterSettings { min, max: settings.max.max(min), ..settings };
        let limit = settings.initial.clamp(settings.min, settings.max) as f64;
        Self { settings, limit, usual: 0.0, windows: 0, window: Sampled::default() }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit as usize
    }

    /// A call ended after `latency`, of `in_flight` with it; `dropped` when it was turned away or timed
    /// out behind us. Returns the limit.
    pub(crate) fn sample(
        &mut self,
        now: Instant,
        latency: Duration,
        in_flight: usize,
        dropped: bool,
    ) -> usize {
        let window = &mut self.window;
        let began = *window.began.get_or_insert(now);
        window.samples += 1;
        window.seconds += latency.as_secs_f64();
        window.busiest = window.busiest.max(in_flight);
        window.dropped |= dropped;
        let due = now.saturating_duration_since(began) >= WINDOW;
        if due && window.samples >= WINDOW_SAMPLES {
            let sampled = std::mem::take(&mut self.window);
            self.step(&sampled);
        }
        self.limit()
    }

    fn step(&mut self, sampled: &Sampled) {
        let present = (sampled.seconds / f64::from(sampled.samples)).max(1e-6);
        self.windows = self.windows.saturating_add(1);
        if self.windows <= WARM_UP {
            self.usual += (present - self.usual) / f64::from(self.windows);
        } else {
            self.usual += (present - self.usual) * USUAL;
        }
        // After a long slow spell the usual latency is far too high: forget it quickly.
        if self.usual > 2.0 * present {
            self.usual *= 0.95;
        }
        if sampled.dropped {
            return self.set(self.limit * DROP_FACTOR);
        }
        // Half empty: latency then says nothing about this limit.
        if (sampled.busiest as f64) < self.limit / 2.0 {
            return;
        }
        let gradient = (self.settings.tolerance * self.usual / present).clamp(0.5, 1.0);
        let aim = self.limit * gradient + HEADROOM;
        self.set(self.limit + (aim - self.limit) * self.settings.smoothing);
    }

    fn set(&mut self, limit: f64) {
        self.limit = limit.clamp(self.settings.min as f64, self.settings.max as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MILLI: Duration = Duration::from_millis(1);

    /// A dependency in a window-long steady state, loaded to the limit.
    fn run(gradient: &mut Gradient, now: &mut Instant, seconds: u64, latency: impl Fn(usize) -> Duration) {
        for _ in 0..seconds * 100 {
            *now += 10 * MILLI;
            let load = gradient.limit();
            for _ in 0..4 {
                gradient.sample(*now, latency(load), load, false);
            }
        }
    }

    #[test]
    fn it_grows_to_its_maximum_while_latency_stays_as_it_is() {
        let (mut gradient, mut now) = (Gradient::new(LimiterSettings::default()), Instant::now());
        run(&mut gradient, &mut now, 60, |_| 10 * MILLI);
        assert_eq!(gradient.limit(), 200);
    }

    #[test]
    fn it_falls_when_latency_rises_and_recovers_when_that_is_over() {
        let (mut gradient, mut now) = (Gradient::new(LimiterSettings::default()), Instant::now());
        run(&mut gradient, &mut now, 30, |_| 10 * MILLI);
        let before = gradient.limit();
        run(&mut gradient, &mut now, 5, |_| 100 * MILLI);
        let during = gradient.limit();
        assert!(during < before / 2, "{before} → {during}");
        run(&mut gradient, &mut now, 30, |_| 10 * MILLI);
        assert!(gradient.limit() >= before, "{before} → {during} → {}", gradient.limit());
    }

    #[test]
    fn it_settles_where_a_queue_begins_to_build() {
        let settings = LimiterSettings { initial: 20, ..LimiterSettings::default() };
        let (mut gradient, mut now) = (Gradient::new(settings), Instant::now());
        // Forty at once are served at the usual speed; beyond that they wait for each other.
        run(&mut gradient, &mut now, 30, |load| (10 * MILLI).mul_f64((load as f64 / 40.0).max(1.0)));
        let limit = gradient.limit();
        assert!((40..=100).contains(&limit), "{limit}");
    }

    #[test]
    fn dropped_calls_lower_it_whatever_the_latency() {
        let (mut gradient, mut now) = (Gradient::new(LimiterSettings::default()), Instant::now());
        run(&mut gradient, &mut now, 30, |_| 10 * MILLI);
        let before = gradient.limit();
        for _ in 0..100 {
            now += 10 * MILLI;
            gradient.sample(now, 10 * MILLI, before, true);
        }
        assert!(gradient.limit() < before / 2);
    }

    #[test]
    fn a_light_load_does_not_move_it() {
        let (mut gradient, mut now) = (Gradient::new(LimiterSettings::default()), Instant::now());
        for step in 0..10_000 {
            now += MILLI;
            gradient.sample(now, (1 + step % 500) * MILLI, 3, false);
        }
        assert_eq!(gradient.limit(), LimiterSettings::default().initial);
    }

    proptest! {
        #[test]
        fn it_never_leaves_its_bounds(
            min in 0_usize..50,
            span in 0_usize..300,
            samples in prop::collection::vec((0_u64..500, 0_u64..60_000, 0_usize..400, any::<bool>()), 1..500),
        ) {
            let settings = LimiterSettings { min, max: min + span, ..LimiterSettings::default() };
            let (mut gradient, mut now) = (Gradient::new(settings), Instant::now());
            for (gap, latency, in_flight, dropped) in samples {
                now += Duration::from_millis(gap);
                let limit = gradient.sample(now, Duration::from_millis(latency), in_flight, dropped);
                prop_assert!((min.max(1)..=(min + span).max(1)).contains(&limit), "{limit}");
            }
        }
    }
}
