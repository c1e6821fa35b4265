//! How the story is told: commands as they are typed, what they print, and how long they took.

use std::io::{self, IsTerminal, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::lab::LabHost;

use super::{Broken, chain, daemon_dir};

/// The column in which times stand.
const TIMES: usize = 100;

/// The teller.
pub(super) struct Story {
    chapters: usize,
    /// Escapes for emphasis and its end; empty when nobody looks at a terminal.
    bold: &'static str,
    dim: &'static str,
    plain: &'static str,
}

impl Story {
    pub(super) fn begin() -> Self {
        let terminal = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let (bold, dim, plain) = if terminal { ("\x1b[1m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
        Self { chapters: 0, bold, dim, plain }
    }

    pub(super) fn chapter(&mut self, title: &str) {
        self.chapters += 1;
        say(&format!("\n{}{}. {title}{}", self.bold, self.chapters, self.plain));
    }

    pub(super) fn note(&self, text: &str) {
        say(&format!("   {text}"));
    }

    /// A line with its time or number at the end.
    pub(super) fn result(&self, what: &str, number: &str) {
        let room = TIMES.saturating_sub(number.chars().count() + 4);
        say(&format!("   {what:room$} {}{number}{}", self.bold, self.plain));
    }

    /// Runs `flowport` with these words on a host, and tells how long it took from exec to exit.
    pub(super) async fn command(&self, host: &LabHost, words: &[&str]) -> Result<Duration, Broken> {
        let begun = Instant::now();
        self.flowport(host, words).await?;
        let took = begun.elapsed();
        self.result(&format!("{}# flowport {}", host.name(), words.join(" ")), &ms(took));
        Ok(took)
    }

    /// Runs `flowport` with these words on a host, and tells what it printed.
    pub(super) async fn output(&self, host: &LabHost, words: &[&str]) -> Result<(), Broken> {
        say(&format!("   {}# flowport {}", host.name(), words.join(" ")));
        let printed = self.flowport(host, words).await?;
        for line in printed.lines() {
            say(&format!("     {}{line}{}", self.dim, self.plain));
        }
        Ok(())
    }

    /// Starts the daemon on a host and waits until it is ready; it ends when the result is dropped.
    pub(super) async fn daemon(&self, host: &LabHost) -> Result<Child, Broken> {
        let begun = Instant::now();
        let mut command = flowport(host)?;
        command.arg("daemon").env("NO_COLOR", "1").kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut daemon = host.spawn(&mut command).map_err(|error| chain(&error))?;
        let said = daemon.stderr.take().ok_or("the daemon has no standard error")?;
        let mut lines = BufReader::new(said).lines();
        let mut last = String::new();
        loop {
            match lines.next_line().await.map_err(|error| error.to_string())? {
                Some(line) if line.contains("ready on") => break,
                Some(line) => last = line,
                None => return Err(format!("the daemon did not start: {last}")),
            }
        }
        // What it says from now on is read, so that it can go on speaking.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        self.result(&format!("{}# flowport daemon &", host.name()), &ms(begun.elapsed()));
        Ok(daemon)
    }

    pub(super) fn end(&self, totals: &str) {
        say(&format!("\n{}{totals}{}", self.bold, self.plain));
    }

    async fn flowport(&self, host: &LabHost, words: &[&str]) -> Result<String, Broken> {
        let mut command = flowport(host)?;
        let output = host.output(command.args(words)).await.map_err(|error| chain(&error))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("`flowport {}` on {} failed: {}", words.join(" "), host.name(), said.trim()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// This very program, with the places of a host.
fn flowport(host: &LabHost) -> Result<Command, Broken> {
    let exe = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let mut command = host.command(&exe.to_string_lossy());
    let dir = daemon_dir(host);
    command.env("FLOWPORT_DB", host.db());
    command.env("FLOWPORT_SOCKET", dir.join("flowport.sock")).env("FLOWPORT_STATE", dir.join("state"));
    Ok(command)
}

/// A time as people read it.
pub(super) fn ms(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    if ms < 10.0 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
}

/// A reader who has left is no reason to break off.
fn say(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}
