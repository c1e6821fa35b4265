//! Text in columns, for people: as wide as it needs to be, and on a terminal not wider than that.

use std::fmt::Write;
use std::io;

/// What every line of columns begins with, in characters.
const INDENT: usize = 2;

/// A column that is made narrower where lines do not fit.
pub(super) struct Flexible {
    /// Which.
    pub(super) column: usize,
    /// The least that it is made narrower to, in characters.
    pub(super) least: usize,
}

/// How many characters a line may have: what the terminal shows, or COLUMNS says; no limit for what goes into a file.
pub(super) fn limit() -> Option<usize> {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = || rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col));
    said.or_else(terminal).filter(|columns| *columns > 0)
}

/// Rows of cells under each other, indented; a cell of many lines has them below each other. Where they do not fit in
/// `limit`, the columns of `flexible` are made narrower in that order. A cell that is longer than its column then is broken
/// behind its commas; where it still is, the rest of its row comes below it.
pub(super) fn aligned<const N: usize>(
    rows: &[[String; N]],
    flexible: &[Flexible],
    limit: Option<usize>,
) -> String {
    let limit = limit.unwrap_or(usize::MAX);
    let width =
        |column: usize| rows.iter().flat_map(|row| row[column].lines()).map(length).max().unwrap_or(0);
    let mut widths: [usize; N] = std::array::from_fn(width);
    let mut too_wide =
        (INDENT - 1 + widths.iter().map(|width| width + 1).sum::<usize>()).saturating_sub(limit);
    for Flexible { column, least } in flexible {
        let less = too_wide.min(widths[*column].saturating_sub(*least));
        widths[*column] -= less;
        too_wide -= less;
    }
    let mut text = String::new();
    for row in rows {
        let cells: [Vec<String>; N] = std::array::from_fn(|column| broken(&row[column], widths[column]));
        for nth in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
            let (mut line, mut start) = (String::new(), INDENT);
            for (cell, width) in cells.iter().zip(widths) {
                let cell = cell.get(nth).map_or("", String::as_str);
                for piece in pieces(cell, limit.saturating_sub(INDENT)) {
                    let at = start.min(limit.saturating_sub(length(&piece))).max(INDENT);
                    // What is before it was too long for its column.
                    if length(&line) >= at && !line.is_empty() {
                        let _ = writeln!(text, "{line}");
                        line.clear();
                    }
                    let gap = at - length(&line);
                    let _ = write!(line, "{:gap$}{piece}", "");
                }
                start += width + 1;
            }
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

/// The lines of a cell, each broken behind commas where it is longer than `width`.
fn broken(cell: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for whole in cell.lines() {
        let mut line = String::new();
        for part in whole.split_inclusive(',') {
            if !line.is_empty() && length(&line) + length(part) > width {
                lines.push(std::mem::take(&mut line));
            }
            line.push_str(part);
        }
        lines.push(line);
    }
    lines
}

/// A text in pieces of at most so many characters, whatever they are.
fn pieces(text: &str, most: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(most.max(1)).map(String::from_iter).collect()
}

/// A text in lines of at most `limit` characters, broken behind commas and blanks, and anywhere where there are none; all
/// but the first are indented so far.
pub(super) fn folded(text: &str, indent: usize, limit: Option<usize>) -> String {
    let Some(limit) = limit else { return format!("{text}\n") };
    let (mut folded, mut column) = (String::new(), 0);
    let parts = text.split_inclusive([',', ' ']);
    for part in parts.flat_map(|part| pieces(part, limit.saturating_sub(indent))) {
        let length = length(&part);
        if column > indent && column + part.trim_end().chars().count() > limit {
            folded.truncate(folded.trim_end().len());
            let _ = write!(folded, "\n{:indent$}", "");
            column = indent;
        }
        folded.push_str(&part);
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

    const FIRST: Flexible = Flexible { column: 0, least: 10 };

    #[test]
    fn what_fits_stands_in_columns() {
        let lines = [line(["NAME", "ADDRESS", "N"]), line(["a", "10.0.0.1/24\nfd00::1/64", "7"])];
        let wide = "  NAME ADDRESS     N\n  a    10.0.0.1/24 7\n       fd00::1/64\n";
        assert_eq!(aligned(&lines, &[FIRST], None), wide);
        assert_eq!(aligned(&lines, &[FIRST], Some(80)), wide);
    }

    #[test]
    fn what_is_too_long_has_the_rest_of_its_line_below() {
        let long = "a-container-with-a-name-that-is-long";
        let lines = [
            line(["CONTAINER", "ADDRESS", "N"]),
            line([long, "10.0.0.1/24", "7"]),
            line(["b", "10.0.0.2/24", "8"]),
        ];
        let narrow = aligned(&lines, &[FIRST], Some(40));
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
    fn a_list_is_broken_behind_its_commas() {
        let lines = [line(["NAME", "LIST", "N"]), line(["a", "1,20,300,4000", "7"])];
        let list = Flexible { column: 1, least: 4 };
        let expected = ["  NAME LIST   N", "  a    1,20,  7", "       300,", "       4000", ""].join("\n");
        assert_eq!(aligned(&lines, &[list], Some(15)), expected);
    }

    #[test]
    fn what_no_line_can_hold_goes_on_in_the_next() {
        let lines = [line(["NAME", "N"]), line(["abcdefghijklmn", "7"])];
        assert_eq!(aligned(&lines, &[FIRST], Some(10)), "  NAME   N\n  abcdefgh\n  ijklmn 7\n");
        assert_eq!(folded("a: bcdefghij k", 2, Some(8)), "a:\n  bcdefg\n  hij k\n");
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
