//! A view as rows and columns, before it is known how it is shown.
use std::cmp::Ordering;

/// What a view shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Table {
    /// The names of the columns.
    pub(super) columns: Vec<&'static str>,
    /// As many cells each as there are columns.
    pub(super) rows: Vec<Row>,
}

/// A line of a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Row {
    /// What stands in it.
    pub(super) cells: Vec<Cell>,
    /// Something is not as it should be.
    pub(super) bad: bool,
}

/// A place in a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Cell {
    /// What stands there.
    pub(super) text: String,
    /// What it is sorted by before the text.
    number: Option<u64>,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { number: text.parse().ok(), text }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self { text: number.to_string(), number: Some(number) }
    }
}

impl Cell {
    /// A number that is shown otherwise.
    pub(super) fn numbered(number: u64, text: String) -> Self {
        Self { text, number: Some(number) }
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self.number, other.number) {
            (Some(one), Some(other)) => one.cmp(&other),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => self.text.cmp(&other.text),
        }
    }
}

impl Table {
    /// A table without rows.
    pub(super) fn new(columns: &[&'static str]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(Row { cells, bad: false });
    }

    /// Adds a row of something that is not as it should be, if `bad`.
    pub(super) fn row_that_may_be_bad(&mut self, cells: Vec<Cell>, bad: bool) {
        self.rows.push(Row { cells, bad });
    }

    /// Sorts the rows by a column; those that are equal stay in their order.
    pub(super) fn sort(&mut self, column: usize, descending: bool) {
        self.rows.sort_by(|one, other| {
            let order = match (one.cells.get(column), other.cells.get(column)) {
                (Some(one), Some(other)) => one.compare(other),
                _ => Ordering::Equal,
            };
            if descending { order.reverse() } else { order }
        });
    }

    /// How wide each column must be for all of it.
    pub(super) fn widths(&self) -> Vec<usize> {
        let of = |(index, name): (usize, &&str)| {
            let cells = self.rows.iter().filter_map(|row| row.cells.get(index));
            cells.map(|cell| cell.text.chars().count()).chain([name.chars().count()]).max().unwrap_or(0)
        };
        self.columns.iter().enumerate().map(of).collect()
    }

    /// All of it as text, a row a line.
    pub(super) fn text(&self) -> String {
        let widths = self.widths();
        let line = |cells: Vec<&str>| {
            let cells = cells.into_iter().zip(&widths).map(|(text, width)| format!("{text:width$}"));
            format!("  {}\n", cells.collect::<Vec<_>>().join("  ")).replace('\t', " ")
        };
        let trimmed = |line: String| format!("{}\n", line.trim_end());
        let mut text = trimmed(line(self.columns.clone()));
        for row in &self.rows {
            text += &trimmed(line(row.cells.iter().map(|cell| cell.text.as_str()).collect()));
        }
        if self.rows.is_empty() {
            text += "  (nothing)\n";
        }
        text
    }

    /// The rows for programs: an object each, by the names of the columns.
    pub(super) fn objects(&self) -> Vec<serde_json::Value> {
        let object = |row: &Row| {
            let fields = self.columns.iter().zip(&row.cells).map(|(name, cell)| {
                let key = name.to_lowercase().replace([' ', '-'], "_");
                (key, serde_json::Value::String(cell.text.clone()))
            });
            serde_json::Value::Object(fields.collect())
        };
        self.rows.iter().map(object).collect()
    }
}
