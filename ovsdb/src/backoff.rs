//! How long to wait before the next attempt to connect. No clock inside: durations in, durations out.

use std::time::Duration;

/// Doubles from `min` to `max` with each failure. Jitter spreads clients that lost the same server.
#[derive(Clone, Debug)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// Delays between `min` and `max`.
    pub fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, next: min }
    }

    /// The delay before the next attempt: between half and all of the present step. `random` is any
    /// uniformly distributed number.
    pub fn failed(&mut self, random: u64) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(self.max);
        let fraction = (random >> 11) as f64 / (1u64 << 53) as f64;
        step.mul_f64(0.5 + fraction / 2.0)
    }

    /// A connection worked: begin again at `min`.
    pub fn succeeded(&mut self) {
        self.next = self.min;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_its_maximum_and_starts_again() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
        let longest: Vec<u128> =
            (0..4).map(|_| backoff.failed(u64::MAX).as_micros().div_ceil(1000)).collect();
        assert_eq!(longest, [100, 200, 350, 350]);
        backoff.succeeded();
        assert_eq!(backoff.failed(0), Duration::from_millis(50));
    }
}
