/// What was measured, a line each.
#[derive(Default)]
pub(crate) struct Table(Vec<[String; 5]>);

const HEAD: [&str; 5] = ["work", "here", "beside", "aim", ""];

impl Table {
    /// `reached`: `None` where nothing is aimed at.
    pub(crate) fn row(
        &mut self,
        work: impl Into<String>,
        here: impl Into<String>,
        beside: impl Into<String>,
        aim: impl Into<String>,
        reached: Option<bool>,
    ) {
        let reached = reached.map_or("", |reached| if reached { "reached" } else { "missed" });
        let row = [work.into(), here.into(), beside.into(), aim.into(), reached.into()];
        eprintln!("{}", row.join(" | "));
        self.0.push(row);
    }

    pub(crate) fn text(&self) -> String {
        let rows = || std::iter::once(HEAD.map(str::to_owned)).chain(self.0.iter().cloned());
        let width = |at: usize| rows().map(|row| row[at].chars().count()).max().unwrap_or(0);
        let widths = [0, 1, 2, 3, 4].map(width);
        let line = |row: [String; 5]| {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
        };
        rows().map(line).collect()
    }

    pub(crate) fn markdown(&self) -> String {
        let line = |row: &[String; 5]| format!("| {} |\n", row.join(" | "));
        let head = HEAD.map(str::to_owned);
        let rows = self.0.iter().map(line).collect::<String>();
        format!("{}|---|---|---|---|---|\n{rows}", line(&head))
    }
}
