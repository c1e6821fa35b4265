//! Echo requests without end, and when they were answered: what a fault costs those who talk meanwhile.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flowport::lab::in_netns;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::{POLL, wait_until};

/// A `ping` that runs; killed when dropped.
#[derive(Debug)]
pub struct Pinger {
    /// Who asks whom, for messages.
    pub between: String,
    replies: watch::Receiver<Replies>,
    /// Ends with this.
    _task: JoinSet<()>,
}

/// By number, when each request was answered.
type Replies = BTreeMap<u64, Duration>;

impl Pinger {
    /// Asks `target` from the namespace of a file, over and over, also while there is no interface to ask by.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(netns: &Path, target: &str, every: Duration) -> Self {
        let between = format!("{} to {target}", netns.display());
        let first = match spawn(netns, target, every) {
            Ok(ping) => ping,
            Err(error) => panic!("ping {between}: {error}"),
        };
        let (heard, replies) = watch::channel(Replies::new());
        let (netns, target) = (netns.to_owned(), target.to_owned());
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut ping = first;
            loop {
                listen(&mut ping, &heard).await;
                // One that was answered and ends has met a fault that it is to tell of.
                if !heard.borrow().is_empty() {
                    return;
                }
                tokio::time::sleep(POLL).await;
                match spawn(&netns, &target, every) {
                    Ok(again) => ping = again,
                    Err(_) => return,
                }
            }
        });
        Self { between, replies, _task: task }
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

    /// Waits for an answer later than now, and returns the longest time since `back` in which none came.
    ///
    /// # Panics
    /// When none comes within `deadline`.
    pub async fn longest_gap(&self, back: Moment, deadline: Duration) -> Duration {
        self.answered_after(Moment::now(), deadline).await;
        longest_gap(self.replies.borrow().values().copied(), back)
    }

    /// Waits for so many answers more.
    ///
    /// # Panics
    /// When they do not come within `deadline`.
    pub async fn hears_more(&self, answers: usize, deadline: Duration) {
        let until = self.answered() + answers;
        wait_until(deadline, &self.between, async || self.answered() >= until).await;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// When a process began, to a hundredth of a second; this moment when it is gone. The 22nd field of `/proc/PID/stat` is
    /// in ticks since the machine's start (proc(5)).
    #[must_use]
    pub fn of_process(pid: u32) -> Self {
        /// `USER_HZ`, which is part of the kernel's interface.
        const TICKS: f64 = 100.0;
        let now = Self::now();
        let age = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // The name may hold blanks.
            let begun: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
            let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
            let uptime: f64 = uptime.split_whitespace().next()?.parse().ok()?;
            Duration::try_from_secs_f64(uptime - begun / TICKS).ok()
        };
        Self(now.0.saturating_sub(age().unwrap_or_default()))
    }

    /// How long ago it was.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        Self::now().0.saturating_sub(self.0)
    }

    /// This one.
    #[must_use]
    pub fn now() -> Self {
        Self(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

/// The longest time without an answer, from `back` to the last.
fn longest_gap(answers: impl Iterator<Item = Duration>, back: Moment) -> Duration {
    let mut answers: Vec<Duration> = answers.filter(|at| *at > back.0).collect();
    answers.sort_unstable();
    let starts = std::iter::once(back.0).chain(answers.iter().copied());
    starts.zip(&answers).map(|(from, to)| *to - from).max().unwrap_or_default()
}

fn spawn(netns: &Path, target: &str, every: Duration) -> Result<Child, Box<dyn Error + Send + Sync>> {
    let every = every.as_secs_f64().to_string();
    let mut command = Command::new("ping");
    command.args(["-n", "-D", "-i", &every, target]).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    Ok(in_netns(netns, || command.spawn())??)
}

/// Until it ends.
async fn listen(ping: &mut Child, heard: &watch::Sender<Replies>) {
    let Some(said) = ping.stdout.take() else { return };
    let mut lines = BufReader::new(said).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some((number, when)) = reply(&line) {
            heard.send_modify(|replies| {
                replies.entry(number).or_insert(when);
            });
        }
    }
}

/// Reads `[1795267191.731925] 64 bytes from 127.0.0.1: icmp_seq=1 ttl=64 time=0.095 ms`.
fn reply(line: &str) -> Option<(u64, Duration)> {
    let (when, rest) = line.strip_prefix('[')?.split_once("] ")?;
    let number = rest.split_once("bytes from")?.1.split_once("icmp_seq=")?.1.split(' ').next()?;
    // Numbers have 16 bits: a test is over before they begin anew.
    Some((number.parse().ok()?, Duration::try_from_secs_f64(when.parse().ok()?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_gap_counts_and_one_before_does_not() {
        let gap = |answers: &[u64], back| {
            let answers = answers.iter().copied().map(Duration::from_millis);
            longest_gap(answers, Moment(Duration::from_millis(back))).as_millis()
        };
        assert_eq!(gap(&[100, 900, 1000, 1020], 850), 100);
        assert_eq!(gap(&[1020, 900, 1500], 1000), 480);
        assert_eq!(gap(&[1100, 1120], 1000), 100);
    }
}
