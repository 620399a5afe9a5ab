//! Lists of fields and tables of rows, as `show` prints them.

/// How wide the names of fields are.
const NAME: usize = 30;

/// How wide a cell of a table is at most, unless the table is wide.
const CELL: usize = 24;

/// Text of fields, one a line.
#[derive(Default)]
pub(crate) struct Lines {
    text: String,
    indent: usize,
}

impl Lines {
    /// A field; what has no value says so.
    pub(crate) fn field(&mut self, name: &str, value: impl AsRef<str>) {
        let value = value.as_ref();
        let value = if value.is_empty() { "NONE" } else { value };
        let name = format!("{:1$}{name}", "", self.indent);
        self.text.push_str(&format!("{name:NAME$}: {value}\n"));
    }

    /// A field that may have no value.
    pub(crate) fn optional(&mut self, name: &str, value: Option<&str>) {
        self.field(name, value.unwrap_or_default());
    }

    /// A line of its own.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) {
        let text = text.as_ref();
        if text.is_empty() {
            self.text.push('\n');
        } else {
            self.text.push_str(&format!("{:1$}{text}\n", "", self.indent));
        }
    }

    /// A heading with a line under it.
    pub(crate) fn heading(&mut self, text: &str) {
        self.line(text);
        self.line("-".repeat(text.chars().count()));
    }

    /// A table.
    pub(crate) fn table(&mut self, table: &Table, wide: bool) {
        for line in table.text(wide).lines() {
            self.line(line);
        }
    }

    /// What `write` writes stands further right.
    pub(crate) fn indented(&mut self, write: impl FnOnce(&mut Self)) {
        self.indent += 3;
        write(self);
        self.indent -= 3;
    }

    /// All of it.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// Rows under headings.
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new() }
    }

    /// One more row.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The text. Unless it is wide, long cells are cut.
    pub(crate) fn text(&self, wide: bool) -> String {
        let cut = |cell: &str| {
            if wide || cell.chars().count() <= CELL {
                return cell.to_owned();
            }
            cell.chars().take(CELL - 3).chain("...".chars()).collect()
        };
        let headings: Vec<String> = self.headings.iter().map(|heading| (*heading).to_owned()).collect();
        let rows: Vec<Vec<String>> = self.rows.iter().map(|row| row.iter().map(|cell| cut(cell)).collect()).collect();
        let width = |column: usize| {
            let cells = rows.iter().chain([&headings]).filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..headings.len()).map(width).collect();
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        let mut text = String::new();
        for row in [&headings, &rule].into_iter().chain(&rows) {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}", width = *width)).collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

/// As the tool says it.
pub(crate) const fn yes_no(on: bool) -> &'static str {
    if on { "YES" } else { "NO" }
}
