use super::*;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn breaker() -> Breaker {
    Breaker::new(BreakerSettings::default())
}

fn call(breaker: &mut Breaker, now: Instant, outcome: Outcome) {
    let ticket = breaker.admit(now).expect("admitted");
    breaker.record(&ticket, outcome, now, 1.0);
}

fn opened(now: Instant) -> Breaker {
    let mut breaker = breaker();
    (0..5).for_each(|_| call(&mut breaker, now, Outcome::Failure));
    assert_eq!(breaker.state(now), BreakerState::Open);
    breaker
}

#[test]
fn five_failures_in_a_row_open_it_and_four_do_not() {
    let (mut breaker, now) = (breaker(), Instant::now());
    for _ in 0..10 {
        (0..4).for_each(|_| call(&mut breaker, now, Outcome::Failure));
        call(&mut breaker, now, Outcome::Success);
        if breaker.state(now) == BreakerState::Open {
            // 80 % failures of 20 calls: the rate opened it, not the row.
            assert_eq!(breaker.opened, 1);
            return;
        }
    }
    panic!("the failure rate never opened it");
}

#[test]
fn half_of_twenty_calls_failing_opens_it_and_less_does_not() {
    let now = Instant::now();
    for (failures_of_20, open) in [(9, false), (10, true)] {
        let mut breaker = breaker();
        for index in 0..20 {
            let fails = index % 2 == 0 && index / 2 < failures_of_20;
            call(&mut breaker, now, if fails { Outcome::Failure } else { Outcome::Success });
        }
        assert_eq!(breaker.state(now) == BreakerState::Open, open, "{failures_of_20} of 20");
    }
}

#[test]
fn successes_that_are_slow_open_it() {
    let (mut breaker, now) = (breaker(), Instant::now());
    let tickets: Vec<_> = (0..20).map(|_| breaker.admit(now).expect("admitted")).collect();
    let later = now + BreakerSettings::default().slow_call;
    for ticket in &tickets {
        breaker.record(ticket, Outcome::Success, later, 1.0);
    }
    assert_eq!(breaker.state(later), BreakerState::Open);
}

#[test]
fn calls_that_may_take_their_time_are_never_slow() {
    let (mut breaker, now) = (breaker(), Instant::now());
    let tickets: Vec<_> = (0..20).map(|_| breaker.admit(now).expect("admitted")).collect();
    let later = now + 10 * BreakerSettings::default().slow_call;
    for ticket in &tickets {
        breaker.record(ticket, Outcome::Unhurried, later, 1.0);
    }
    assert_eq!(breaker.state(later), BreakerState::Closed);
}

#[test]
fn while_open_nothing_is_admitted_and_the_wait_is_told() {
    let now = Instant::now();
    let mut breaker = opened(now);
    let wait = breaker.admit(now).expect_err("open");
    assert_eq!(wait, SECOND);
    assert!(breaker.admit(now + SECOND / 2).is_err());
}

#[test]
fn exactly_one_probe_is_admitted_and_its_success_closes() {
    let now = Instant::now();
    let mut breaker = opened(now);
    let later = now + SECOND;
    let probe = breaker.admit(later).expect("the probe");
    for _ in 0..100 {
        assert!(breaker.admit(later).is_err(), "a second probe");
    }
    breaker.record(&probe, Outcome::Success, later, 1.0);
    assert_eq!(breaker.state(later), BreakerState::Closed);
    assert_eq!(breaker.failures(later), 0);
    assert!(breaker.admit(later).is_ok() && breaker.admit(later).is_ok());
}

#[test]
fn a_probe_that_fails_is_slow_or_is_lost_opens_it_for_longer() {
    let slow = BreakerSettings::default().slow_call;
    for (outcome, took) in
        [(Outcome::Failure, Duration::ZERO), (Outcome::Lost, Duration::ZERO), (Outcome::Success, slow)]
    {
        let now = Instant::now();
        let mut breaker = opened(now);
        let probe = breaker.admit(now + SECOND).expect("the probe");
        let end = now + SECOND + took;
        breaker.record(&probe, outcome, end, 1.0);
        assert_eq!(breaker.admit(end).expect_err("open again"), 2 * SECOND, "{outcome:?}");
    }
}

#[test]
fn a_probe_that_says_nothing_leaves_its_place_to_the_next() {
    let now = Instant::now();
    let mut breaker = opened(now);
    let later = now + SECOND;
    let probe = breaker.admit(later).expect("the probe");
    breaker.record(&probe, Outcome::Ignored, later, 1.0);
    assert!(breaker.admit(later).is_ok());
    assert!(breaker.admit(later).is_err());
}

#[test]
fn a_refusal_opens_it_for_the_time_it_names_within_bounds() {
    let now = Instant::now();
    for (named, expected) in [(0, 1), (7, 7), (3600, 30)] {
        let mut breaker = breaker();
        call(&mut breaker, now, Outcome::Refused(Duration::from_secs(named)));
        assert_eq!(breaker.retry_in(now), Duration::from_secs(expected), "Retry-After: {named}");
    }
}

#[test]
fn a_call_from_before_the_outage_changes_nothing_after_it() {
    let (mut breaker, now) = (breaker(), Instant::now());
    let straggler = breaker.admit(now).expect("admitted");
    (0..5).for_each(|_| call(&mut breaker, now, Outcome::Failure));
    breaker.record(&straggler, Outcome::Success, now, 1.0);
    assert_eq!(breaker.state(now), BreakerState::Open);
    let probe = breaker.admit(now + SECOND).expect("the probe");
    breaker.record(&straggler, Outcome::Success, now + SECOND, 1.0);
    assert_eq!(breaker.entered(), BreakerState::HalfOpen);
    breaker.record(&probe, Outcome::Success, now + SECOND, 1.0);
    breaker.record(&straggler, Outcome::Failure, now + SECOND, 1.0);
    assert_eq!(breaker.failures(now + SECOND), 0);
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Success),
        Just(Outcome::Unhurried),
        Just(Outcome::Failure),
        Just(Outcome::Ignored),
        Just(Outcome::Lost),
        (0_u64..100).prop_map(|seconds| Outcome::Refused(Duration::from_secs(seconds))),
    ]
}

proptest! {
    /// Any interleaving of calls, ends and time: never two probes, never stuck, never open too long.
    #[test]
    fn it_always_admits_again_within_its_longest_open_time_and_never_two_probes(
        steps in prop::collection::vec((0_u64..3000, any::<bool>(), outcome(), 0.0_f64..1.0), 1..300),
    ) {
        let mut breaker = breaker();
        let mut now = Instant::now();
        let mut out: Vec<(Ticket, bool)> = Vec::new();
        for (millis, ends, outcome, random) in steps {
            now += Duration::from_millis(millis);
            if ends && !out.is_empty() {
                let (ticket, _) = out.remove(0);
                breaker.record(&ticket, outcome, now, random);
            } else {
                match breaker.admit(now) {
                    Ok(ticket) => out.push((ticket, breaker.entered() == BreakerState::HalfOpen)),
                    Err(wait) => prop_assert!(wait <= breaker.settings.longest_refusal),
                }
            }
            let probes = out.iter().filter(|(t, probe)| *probe && t.generation == breaker.generation);
            prop_assert!(probes.count() <= 1);
        }
        for (ticket, _) in out.drain(..) {
            breaker.record(&ticket, Outcome::Lost, now, 0.5);
        }
        prop_assert!(breaker.admit(now + breaker.settings.longest_refusal).is_ok());
    }

    #[test]
    fn failures_that_are_not_the_dependencys_never_open_it(count in 0_usize..500, lost: bool) {
        let (mut breaker, now) = (breaker(), Instant::now());
        for _ in 0..count {
            call(&mut breaker, now, if lost { Outcome::Lost } else { Outcome::Ignored });
        }
        prop_assert_eq!(breaker.state(now), BreakerState::Closed);
    }
}
