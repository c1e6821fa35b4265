//! Echo requests without end, and when they were answered: what a fault costs those who talk meanwhile.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flowport::lab::in_netns;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::wait_until;

/// A `ping` that runs; killed when dropped.
#[derive(Debug)]
pub struct Pinger {
    /// Who asks whom, for messages.
    pub between: String,
    replies: watch::Receiver<BTreeMap<u64, Duration>>,
    _ping: Child,
}

impl Pinger {
    /// Asks `target` from the namespace of a file, over and over.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(netns: &Path, target: &str, every: Duration) -> Self {
        let every = every.as_secs_f64().to_string();
        let mut command = Command::new("ping");
        command.args(["-n", "-D", "-i", &every, target]).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut ping = match in_netns(netns, || command.spawn()) {
            Ok(Ok(ping)) => ping,
            other => panic!("ping {target} in {}: {other:?}", netns.display()),
        };
        let (heard, replies) = watch::channel(BTreeMap::new());
        let said = ping.stdout.take();
        tokio::spawn(async move {
            let Some(said) = said else { return };
            let mut lines = BufReader::new(said).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some((number, when)) = reply(&line) {
                    heard.send_modify(|replies| {
                        replies.entry(number).or_insert(when);
                    });
                }
            }
        });
        Self { between: format!("{} to {target}", netns.display()), replies, _ping: ping }
    }

    /// Waits until an answer comes later than `when`, and returns how much later it came.
    ///
    /// # Panics
    /// When none comes within `deadline`.
    pub async fn answered_after(&self, when: Moment, deadline: Duration) -> Duration {
        let first = || {
            let replies = self.replies.borrow();
            replies.values().copied().filter(|at| *at > when.0).min()
        };
        let what = format!("ping from {} goes on", self.between);
        wait_until(deadline, &what, async || first().is_some()).await;
        first().unwrap_or_default().saturating_sub(when.0)
    }

    /// How many requests were not answered, between the first and the last that were.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let replies = self.replies.borrow();
        let (first, last) = (replies.keys().next(), replies.keys().next_back());
        first.zip(last).map_or(0, |(first, last)| last - first + 1 - replies.len() as u64)
    }

    /// How many were answered.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.replies.borrow().len()
    }
}

/// A moment by the clock that `ping -D` tells.
#[derive(Clone, Copy, Debug)]
pub struct Moment(Duration);

impl Moment {
    /// This one.
    #[must_use]
    pub fn now() -> Self {
        Self(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

/// Reads `[1795267191.731925] 64 bytes from 127.0.0.1: icmp_seq=1 ttl=64 time=0.095 ms`.
fn reply(line: &str) -> Option<(u64, Duration)> {
    let (when, rest) = line.strip_prefix('[')?.split_once("] ")?;
    let number = rest.split_once("bytes from")?.1.split_once("icmp_seq=")?.1.split(' ').next()?;
    // Numbers have 16 bits: a test is over before they begin anew.
    Some((number.parse().ok()?, Duration::try_from_secs_f64(when.parse().ok()?).ok()?))
}
