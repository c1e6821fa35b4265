//! Which remote to try, and when. No clock and no socket: `now` in, moments out.

use std::time::{Duration, Instant};

use crate::backoff::Backoff;
use crate::remote::{Remote, Remotes};

/// How to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReconnectOptions {
    /// Whether the remotes are tried in an order of our own, so that clients with the same list do not all go to the
    /// same member.
    pub shuffle: bool,
    /// The first delay; doubles with each round.
    pub min_backoff: Duration,
    /// The last.
    pub max_backoff: Duration,
    /// A random part of this is added to each delay, unless all remotes are on this host.
    pub spread: Duration,
}

/// The next attempt to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Index into [`Remotes::as_slice`].
    pub remote: usize,
    /// Not before.
    pub at: Instant,
}

/// Goes round the remotes. The first round begins at once, and within a round one attempt follows the other: another
/// member may do. Between rounds, and after a connection was lost, there is a delay: a step between half and all of
/// the backoff, and a random part of the spread.
///
/// `ovsdb-server` 3.1 takes one connection a turn of its main loop and lets ten wait; what comes meanwhile is thrown
/// away. Clients that lose the same server at the same moment come back at a rate of their number by the spread at
/// most, so the spread is to be their number by the connections that the server takes a second.
#[derive(Debug)]
pub struct Reconnect {
    /// Indexes of the remotes.
    order: Vec<usize>,
    position: usize,
    /// Attempts of this round so far.
    tried: usize,
    at: Instant,
    connected: Option<Instant>,
    backoff: Backoff,
    options: ReconnectOptions,
    random: Random,
}

impl Reconnect {
    /// The first round. `seed` makes clients differ.
    pub fn new(remotes: &Remotes, mut options: ReconnectOptions, seed: u64, now: Instant) -> Self {
        let mut random = Random(seed);
        let mut order: Vec<usize> = (0..remotes.as_slice().len()).collect();
        if options.shuffle {
            for end in (1..order.len()).rev() {
                order.swap(end, random.below(end + 1));
            }
        }
        if remotes.as_slice().iter().all(|remote| matches!(remote, Remote::Unix(_))) {
            options.spread = Duration::ZERO;
        }
        let backoff = Backoff::new(options.min_backoff, options.max_backoff);
        Self { order, position: 0, tried: 0, at: now, connected: None, backoff, options, random }
    }

    /// The next attempt. `None`: there is no remote at all.
    pub fn attempt(&self) -> Option<Attempt> {
        Some(Attempt { remote: *self.order.get(self.position)?, at: self.at })
    }

    /// The attempt failed: the next remote is to be tried.
    pub fn failed(&mut self, now: Instant) {
        self.advance();
        self.tried += 1;
        self.at = now;
        if self.tried >= self.order.len() {
            self.begin_round(now);
        }
    }

    /// The attempt succeeded: the copy of the database is there.
    pub fn connected(&mut self, now: Instant) {
        self.connected = Some(now);
    }

    /// The connection ended: a round begins with the next remote. The backoff starts again unless the connection was a
    /// short one, so that a server that accepts and hangs up is not asked ever so often.
    pub fn lost(&mut self, now: Instant) {
        let lasted =
            self.connected.take().map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        if lasted >= self.options.max_backoff {
            self.backoff.succeeded();
        }
        self.advance();
        self.begin_round(now);
    }

    /// The connection was given up to have another: a round begins with the next remote, without delay.
    pub fn given_up(&mut self, now: Instant) {
        self.connected = None;
        self.advance();
        self.tried = 0;
        self.at = now;
    }

    fn advance(&mut self) {
        self.position = (self.position + 1) % self.order.len().max(1);
    }

    fn begin_round(&mut self, now: Instant) {
        self.tried = 0;
        let step = self.backoff.failed(self.random.next());
        self.at = now + step + self.options.spread.mul_f64(self.random.fraction());
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014). Not for secrets.
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// From 0 to `bound - 1`; `bound` is small.
    fn below(&mut self, bound: usize) -> usize {
        (self.fraction() * bound as f64) as usize
    }
}

#[cfg(test)]
mod tests;
