//! Text in columns, for people: as wide as it needs to be, and on a terminal not wider than that.

use std::fmt::Write;
use std::io;

/// The least that a column is made narrower to, in characters.
const LEAST: usize = 10;

/// How many characters a line may have: what the terminal shows, or COLUMNS says; no limit for what goes into a file.
pub(super) fn limit() -> Option<usize> {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = || rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col));
    said.or_else(terminal).filter(|columns| *columns > 0)
}

/// Lines of cells under each other, indented by two. Where they do not fit in `limit`, the columns of `flexible` are made
/// narrower in that order; a cell that is longer than its column then has the rest of its line below it.
pub(super) fn aligned<const N: usize>(
    lines: &[[String; N]],
    flexible: &[usize],
    limit: Option<usize>,
) -> String {
    let width = |column: usize| lines.iter().map(|line| length(&line[column])).max().unwrap_or(0);
    let mut widths: [usize; N] = std::array::from_fn(width);
    let mut too_wide =
        (1 + widths.iter().map(|width| width + 1).sum::<usize>()).saturating_sub(limit.unwrap_or(usize::MAX));
    for column in flexible {
        let less = too_wide.min(widths[*column].saturating_sub(LEAST));
        widths[*column] -= less;
        too_wide -= less;
    }
    let mut text = String::new();
    for line in lines {
        let (mut row, mut start) = (String::new(), 2);
        for (cell, width) in line.iter().zip(widths) {
            if !cell.is_empty() {
                // What is before it was too long for its column.
                if length(&row) > start.max(1) - 1 && !row.is_empty() {
                    let _ = writeln!(text, "{row}");
                    row.clear();
                }
                let gap = start - length(&row);
                let _ = write!(row, "{:gap$}{cell}", "");
            }
            start += width + 1;
        }
        let _ = writeln!(text, "{row}");
    }
    text
}

/// A text in lines of at most `limit` characters, broken behind commas and blanks; all but the first are indented so far.
pub(super) fn folded(text: &str, indent: usize, limit: Option<usize>) -> String {
    let Some(limit) = limit else { return format!("{text}\n") };
    let (mut folded, mut column) = (String::new(), 0);
    for part in text.split_inclusive([',', ' ']) {
        let length = length(part);
        if column > indent && column + part.trim_end().chars().count() > limit {
            folded.truncate(folded.trim_end().len());
            let _ = write!(folded, "\n{:indent$}", "");
            column = indent;
        }
        folded.push_str(part);
        column += length;
    }
    folded.push('\n');
    folded
}

/// A count in at most five characters: `123456`, `1.2M`, `35G`.
pub(super) fn count(count: u64) -> String {
    const UNITS: [(u64, char); 4] =
        [(1_000_000_000_000_000, 'P'), (1_000_000_000_000, 'T'), (1_000_000_000, 'G'), (1_000_000, 'M')];
    let Some((unit, letter)) = UNITS.into_iter().find(|(unit, _)| count >= *unit) else {
        return count.to_string();
    };
    let tenths = count / (unit / 10);
    match tenths {
        ..100 => format!("{}.{}{letter}", tenths / 10, tenths % 10),
        _ => format!("{}{letter}", tenths / 10),
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<const N: usize>(cells: [&str; N]) -> [String; N] {
        cells.map(str::to_owned)
    }

    #[test]
    fn what_fits_stands_in_columns() {
        let lines =
            [line(["NAME", "ADDRESS", "N"]), line(["a", "10.0.0.1/24", "7"]), line(["", "fd00::1/64", ""])];
        let wide = "  NAME ADDRESS     N\n  a    10.0.0.1/24 7\n       fd00::1/64\n";
        assert_eq!(aligned(&lines, &[0, 1], None), wide);
        assert_eq!(aligned(&lines, &[0, 1], Some(80)), wide);
    }

    #[test]
    fn what_is_too_long_has_the_rest_of_its_line_below() {
        let long = "a-container-with-a-name-that-is-long";
        let lines = [
            line(["CONTAINER", "ADDRESS", "N"]),
            line([long, "10.0.0.1/24", "7"]),
            line(["b", "10.0.0.2/24", "8"]),
        ];
        let narrow = aligned(&lines, &[0], Some(40));
        let expected = [
            "  CONTAINER                ADDRESS     N",
            "  a-container-with-a-name-that-is-long",
            "                           10.0.0.1/24 7",
            "  b                        10.0.0.2/24 8",
            "",
        ];
        let expected = expected.join("\n");
        assert_eq!(narrow, expected);
        assert!(narrow.lines().all(|line| line.len() <= 40));
    }

    #[test]
    fn long_lines_are_folded_behind_commas() {
        let flow = "table=0,priority=100,in_port=1 actions=goto_table:1";
        assert_eq!(folded(flow, 4, None), format!("{flow}\n"));
        assert_eq!(folded(flow, 4, Some(32)), "table=0,priority=100,in_port=1\n    actions=goto_table:1\n");
        assert_eq!(
            folded(flow, 2, Some(4)).replace(['\n', ' '], ""),
            flow.replace(' ', ""),
            "nothing is lost"
        );
    }

    #[test]
    fn counts_are_short() {
        for (number, text) in [
            (0, "0"),
            (999_999, "999999"),
            (1_000_000, "1.0M"),
            (12_345_678, "12M"),
            (9_990_000_000, "9.9G"),
            (u64::MAX, "18446P"),
        ] {
            assert_eq!(count(number), text);
        }
    }
}
