//! The table.

use std::fmt::Write;
use std::time::Duration;

/// Everything that was measured.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where.
    pub machine: String,
    /// What stands beside Flowport: a heading.
    pub peer: &'static str,
    /// What.
    pub figures: Vec<Figure>,
}

/// A line of the table, in words.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What was done.
    pub work: String,
    /// How often.
    pub times: usize,
    /// What Flowport took, with its unit.
    pub ours: String,
    /// What another took, with its unit; empty when there is no other.
    pub theirs: String,
    /// How many times as good as the other Flowport is.
    pub ratio: Option<f64>,
    /// What is aimed at.
    pub aim: String,
    /// Whether that is reached, as far as it is known.
    pub reached: Option<bool>,
}

/// One kind of work that takes time.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was done.
    pub work: String,
    /// How long Flowport took, each time.
    pub ours: Vec<Duration>,
    /// How long the other took, each time; empty when it cannot do this, or is not there.
    pub theirs: Vec<Duration>,
    /// Which of the times counts, from 0 to 1: 0.5 is the median.
    pub quantile: f64,
    /// What is aimed at.
    pub aim: Aim,
}

/// What is aimed at.
#[derive(Clone, Copy, Debug)]
pub enum Aim {
    /// So many times as fast as the other, or faster.
    Faster(f64),
    /// So long, or less.
    Within(Duration),
}

impl Row {
    /// A row whose median counts.
    #[must_use]
    pub fn median(work: impl Into<String>, ours: Vec<Duration>, theirs: Vec<Duration>, aim: Aim) -> Self {
        Self { work: work.into(), ours, theirs, quantile: 0.5, aim }
    }

    /// The time of Flowport that counts.
    #[must_use]
    pub fn ours(&self) -> Option<Duration> {
        quantile(&self.ours, self.quantile)
    }

    /// The time of the other that counts.
    #[must_use]
    pub fn theirs(&self) -> Option<Duration> {
        quantile(&self.theirs, self.quantile)
    }

    /// How many times as fast as the other Flowport is.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        let (ours, theirs) = (self.ours()?, self.theirs()?);
        (!ours.is_zero()).then(|| theirs.as_secs_f64() / ours.as_secs_f64())
    }

    /// Whether the aim is reached; unknown without another to compare with.
    #[must_use]
    pub fn is_reached(&self) -> Option<bool> {
        match self.aim {
            Aim::Faster(times) => Some(self.ratio()? >= times),
            Aim::Within(limit) => Some(self.ours()? <= limit),
        }
    }

    /// The line of the table.
    #[must_use]
    pub fn figure(&self) -> Figure {
        let time = |times: &[Duration]| quantile(times, self.quantile).map(human).unwrap_or_default();
        Figure {
            work: self.work.clone(),
            times: self.ours.len(),
            ours: time(&self.ours),
            theirs: time(&self.theirs),
            ratio: self.ratio(),
            aim: match self.aim {
                Aim::Faster(times) => format!("{times}x or more"),
                Aim::Within(limit) => format!("{} or less", human(limit)),
            },
            reached: self.is_reached(),
        }
    }
}

impl Figure {
    /// Says who the other is.
    #[must_use]
    pub fn beside(mut self, peer: &str) -> Self {
        if !self.theirs.is_empty() {
            self.theirs = format!("{} ({peer})", self.theirs);
        }
        self
    }

    /// A number of which less is better, once.
    #[must_use]
    pub fn at_most(work: impl Into<String>, number: f64, limit: f64, unit: &str) -> Self {
        let with_unit = |number: f64| format!("{number} {unit}").trim_end().to_owned();
        Self {
            work: work.into(),
            times: 1,
            ours: with_unit(number),
            theirs: String::new(),
            ratio: None,
            aim: format!("{} or less", with_unit(limit)),
            reached: Some(number <= limit),
        }
    }

    fn cells(&self) -> [String; COLUMNS] {
        let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        let reached = match self.reached {
            Some(true) => "reached",
            Some(false) => "missed",
            None => "-",
        };
        [
            self.work.clone(),
            self.times.to_string(),
            or_dash(&self.ours),
            or_dash(&self.theirs),
            self.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.1}x")),
            self.aim.clone(),
            reached.to_owned(),
        ]
    }
}

/// Columns of words; the others hold figures, which line up at their ends.
const WORDS: [usize; 3] = [0, 5, 6];
const COLUMNS: usize = 7;

impl Report {
    /// To be read in a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let lines: Vec<[String; COLUMNS]> =
            [self.headings()].into_iter().chain(self.figures.iter().map(Figure::cells)).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or_default();
        let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
        let mut text = format!("{}\n\n", self.machine);
        for line in &lines {
            let mut out = String::new();
            for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
                // Writing to a string cannot fail.
                let _ = match WORDS.contains(&column) {
                    true => write!(out, "{cell:<width$}  "),
                    false => write!(out, "{cell:>width$}  "),
                };
            }
            text.push_str(out.trim_end());
            text.push('\n');
        }
        text
    }

    /// To be put into a document.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = format!("| {} |\n|", self.headings().join(" | "));
        for column in 0..COLUMNS {
            text.push_str(if WORDS.contains(&column) { "---|" } else { "--:|" });
        }
        text.push('\n');
        for figure in &self.figures {
            let _ = writeln!(text, "| {} |", figure.cells().join(" | "));
        }
        let _ = writeln!(text, "\n{}", self.machine);
        text
    }

    fn headings(&self) -> [String; COLUMNS] {
        ["work", "times", "flowport", self.peer, "ratio", "aim", ""].map(str::to_owned)
    }
}

/// The smallest of the times that at least this part of them does not exceed.
fn quantile(times: &[Duration], part: f64) -> Option<Duration> {
    let mut times = times.to_vec();
    times.sort_unstable();
    // A count of rounds is far below where a float loses whole numbers.
    let nth = (part * times.len() as f64).ceil() as usize;
    times.get(nth.max(1) - 1).copied()
}

fn human(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds >= 1.0 { format!("{seconds:.2} s") } else { format!("{:.1} ms", seconds * 1e3) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ours: &[u64], theirs: &[u64], aim: Aim) -> Row {
        let times = |millis: &[u64]| millis.iter().copied().map(Duration::from_millis).collect();
        Row::median("a", times(ours), times(theirs), aim)
    }

    #[test]
    fn the_median_counts_and_is_compared() {
        let even = row(&[30, 10, 20], &[200, 900, 100], Aim::Faster(10.0));
        assert_eq!(even.ratio(), Some(10.0));
        assert_eq!(even.is_reached(), Some(true));
        assert_eq!(row(&[21], &[200], Aim::Faster(10.0)).is_reached(), Some(false));
        assert_eq!(row(&[21], &[], Aim::Faster(10.0)).is_reached(), None);
        assert_eq!(row(&[21], &[], Aim::Within(Duration::from_millis(20))).is_reached(), Some(false));
    }

    #[test]
    fn a_quantile_is_one_of_the_times() {
        let times: Vec<Duration> = (1..=50).map(Duration::from_millis).collect();
        assert_eq!(quantile(&times, 0.5), Some(Duration::from_millis(25)));
        assert_eq!(quantile(&times, 0.99), Some(Duration::from_millis(50)));
        assert_eq!(quantile(&times[..1], 0.5), Some(Duration::from_millis(1)));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn columns_line_up() {
        let report = Report {
            machine: "here".into(),
            peer: "ovs-docker",
            figures: vec![
                row(&[9], &[1234], Aim::Faster(10.0)).figure(),
                row(&[12], &[], Aim::Within(Duration::from_secs(10))).figure(),
            ],
        };
        let text = report.text();
        let ends = |word: &str| text.lines().find_map(|line| line.find(word).map(|at| at + word.len()));
        assert_eq!(ends("9.0 ms"), ends("12.0 ms"));
        assert_eq!(ends("flowport"), ends("12.0 ms"));
        assert!(report.markdown().contains("| a | 1 | 9.0 ms | 1.23 s | 137.1x | 10x or more | reached |"));
    }
}
