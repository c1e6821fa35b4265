//! The end of a process, noticed at once, and telling a process from its successor of the same pid.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::unix::AsyncFd;

/// Tells when a process has ended. Keeps neither the process nor its namespaces alive.
#[derive(Debug)]
pub struct ProcessExit {
    pid: u32,
    pidfd: AsyncFd<OwnedFd>,
}

impl ProcessExit {
    /// Starts watching. None if there is no such process any more.
    ///
    /// A pid may have been given to another process since it was learnt: compare [`start_time`] before and
    /// after this call where that matters.
    pub fn watch(pid: u32) -> io::Result<Option<Self>> {
        let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let Some(number) = number else { return Ok(None) };
        match pidfd_open(number, PidfdFlags::NONBLOCK) {
            #[allow(deprecated, reason = "its replacement is unsafe; an OwnedFd meets all it asks for")]
            Ok(pidfd) => Ok(Some(Self { pid, pidfd: AsyncFd::new(pidfd)? })),
            Err(Errno::SRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The pid watched.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until the process has ended; the network namespace it was alone in is about to go.
    pub async fn ended(&self) -> io::Result<()> {
        // The readiness stays: a process ends once.
        self.pidfd.readable().await.map(drop)
    }
}

/// When a process started, in clock ticks since boot (field 22 of `/proc/PID/stat`). None if it is
/// gone. Two processes of one pid differ in it.
pub fn start_time(pid: u32) -> io::Result<Option<u64>> {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => start_time_in(&stat).map(Some).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat is not as in proc(5)"))
        }),
        Err(error)
            if error.kind() == io::ErrorKind::NotFound
                || Errno::from_io_error(&error) == Some(Errno::SRCH) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The program's name in the second field may hold blanks and brackets; the last ')' ends it.
fn start_time_in(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_brackets_and_blanks_does_not_shift_the_fields() {
        let stat = "42 (a) b) R 0 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 10";
        assert_eq!(start_time_in(stat), Some(987_654));
    }

    #[test]
    fn a_living_process_has_a_start_time_and_an_impossible_one_none() {
        assert!(start_time(std::process::id()).unwrap().is_some_and(|ticks| ticks > 0));
        assert_eq!(start_time(u32::MAX).unwrap(), None);
    }

    #[tokio::test]
    async fn the_end_of_a_child_is_noticed() {
        let mut child =
            tokio::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let exit = ProcessExit::watch(child.id().unwrap()).unwrap().unwrap();
        let early = tokio::time::timeout(std::time::Duration::from_millis(1), exit.ended()).await;
        assert!(early.is_err(), "it still waits for its input");
        drop(child.stdin.take());
        tokio::time::timeout(std::time::Duration::from_secs(5), exit.ended()).await.unwrap().unwrap();
        child.wait().await.unwrap();
        assert!(ProcessExit::watch(exit.pid()).unwrap().is_none(), "reaped: the pid is free");
    }
}
