//! Which server answers a read. Pure.

use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Writer,
    Replica(usize),
}

/// What is known of a replica.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub(super) up: bool,
    pub(super) lag: Option<Duration>,
}

/// Servers to ask, best first, at most two: replicas that are not too far behind in turn, then the writer.
/// A read that must see the newest state asks the writer. While the writer is away, any replica is better
/// than none. Never empty: with nobody up it is the writer, whose circuit knows when to ask again.
pub(super) fn order(
    newest: bool,
    writer_up: bool,
    replicas: &[View],
    max_lag: Duration,
    turn: usize,
) -> (Target, Option<Target>) {
    let lag = |replica: &usize| replicas[*replica].lag.unwrap_or(Duration::MAX);
    let mut up: Vec<usize> = (0..replicas.len()).filter(|replica| replicas[*replica].up).collect();
    if !newest || !writer_up {
        let count = up.len().max(1);
        up.rotate_left(turn % count);
    }
    let (fresh, mut behind): (Vec<usize>, Vec<usize>) = up.into_iter().partition(|one| lag(one) <= max_lag);
    behind.sort_by_key(lag);
    let mut order: Vec<Target> =
        fresh.into_iter().chain(behind.iter().copied()).map(Target::Replica).collect();
    if writer_up {
        // A writer that fails in this very moment leaves the best replica.
        let usable = order.len() - behind.len();
        let place = if newest { 0 } else { usable.min(1) };
        order.insert(place, Target::Writer);
    }
    (order.first().copied().unwrap_or(Target::Writer), order.get(1).copied())
}

#[cfg(test)]
mod tests {
    use super::Target::{Replica, Writer};
    use super::*;

    const MAX: Duration = Duration::from_secs(1);

    fn view(lag_ms: u64) -> View {
        View { up: true, lag: Some(Duration::from_millis(lag_ms)) }
    }

    #[test]
    fn replicas_take_turns_and_the_writer_helps_out() {
        let replicas = [view(0), view(1000)];
        assert_eq!(order(false, true, &replicas, MAX, 0), (Replica(0), Some(Writer)));
        assert_eq!(order(false, true, &replicas, MAX, 1), (Replica(1), Some(Writer)));
    }

    #[test]
    fn one_that_is_down_or_too_far_behind_or_unknown_gets_no_reads_while_the_writer_is_there() {
        let unknown = View { up: true, lag: None };
        let down = View { up: false, lag: Some(Duration::ZERO) };
        for turn in 0..3 {
            let (first, _) = order(false, true, &[view(1001), unknown, down], MAX, turn);
            assert_eq!(first, Writer);
            assert_eq!(order(false, true, &[view(1001), view(3)], MAX, turn).0, Replica(1));
        }
    }

    #[test]
    fn the_newest_state_is_the_writers() {
        assert_eq!(order(true, true, &[view(0)], MAX, 0), (Writer, Some(Replica(0))));
    }

    #[test]
    fn without_the_writer_the_least_bad_replica_answers() {
        assert_eq!(order(true, false, &[view(9000), view(5000)], MAX, 0).0, Replica(1));
        assert_eq!(order(false, false, &[view(9000), view(0)], MAX, 1).0, Replica(1));
        let down = View { up: false, lag: None };
        assert_eq!(order(false, false, &[down], MAX, 0), (Writer, None));
    }
}
