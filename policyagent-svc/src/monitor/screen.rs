//! Drawing. What matters is said by words and signs, too, for terminals without colours.
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Clear, Paragraph, Row, Table as Rows, TableState, Wrap};

use super::app::{App, Focus, Over};
use super::table::Table;
use super::view::View;

/// How wide a column is at most; all of it is in the details.
const WIDEST: usize = 40;

/// A column with less room is not shown.
const LEAST: usize = 8;

/// How wide the tree is.
const TREE: u16 = 27;

/// The keys, for the help.
const HELP: &[(&str, &str)] = &[
    ("Up, Down", "move in the tree or in the rows; also Page Up, Page Down, Home, End"),
    ("Tab", "go from the tree to the rows, or back"),
    ("Left, Right", "show the columns before, after"),
    ("Enter", "show the rows; in the rows: all of one row"),
    ("r, F5", "ask the service now"),
    ("+, -", "ask less often, more often; 0 is by hand alone"),
    ("n", "show DNS names for addresses, or cease to"),
    ("/", "search filters and SAs: any, me (this computer), or an address"),
    ("c", "clear the search"),
    ("s, S", "sort by the next column; the other way round"),
    ("q", "end"),
];

/// What emphasis looks like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Colours are wanted.
    pub(super) colours: bool,
}

impl Look {
    fn bad(self) -> Style {
        if self.colours { Style::new().fg(Color::Red) } else { Style::new() }
    }

    fn heading(self) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD);
        if self.colours { style.fg(Color::Cyan) } else { style }
    }

    /// Reversed on every terminal.
    fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, app: &mut App, look: Look) {
    let [top, middle, bottom] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(3), Constraint::Length(1)]).areas(frame.area());
    let [left, right] = Layout::horizontal([Constraint::Length(TREE), Constraint::Min(20)]).areas(middle);
    let table = app.table();
    frame.render_widget(Paragraph::new(title(app)).style(look.heading()), top);
    tree(frame, left, app, look);
    rows(frame, right, app, table.as_ref(), look);
    frame.render_widget(foot(app, look), bottom);
    match &app.over {
        Over::Nothing => {}
        Over::Help => help(frame, look),
        Over::Details => details(frame, app, table.as_ref(), look),
        Over::Asking { typed, source, wrong } => {
            let side = if source.is_none() { "Source or me" } else { "Destination or peer" };
            let mut lines = vec![Line::from(format!("{side}: {typed}_"))];
            lines
                .push(Line::from(wrong.clone().unwrap_or_else(|| "nothing (whatever), any, me, or an address".into())));
            over(frame, "Search", lines, look);
        }
    }
}

fn title(app: &App) -> String {
    let refresh = match app.interval {
        0 => "refresh by hand".to_owned(),
        seconds => format!("refresh every {seconds} s"),
    };
    let service = app.told.as_ref().map_or_else(String::new, |told| {
        format!("  driver {}  policy version {}", told.status.driver.name, told.status.policy.version)
    });
    let names = if app.by_name { "  names" } else { "" };
    format!("IP Security Monitor{service}  {refresh}{names}")
}

fn tree(frame: &mut Frame<'_>, area: Rect, app: &App, look: Look) {
    let mut lines = Vec::new();
    let mut branch = None;
    for view in View::ALL {
        if view.branch() != branch {
            branch = view.branch();
            lines.extend(branch.map(|name| Line::styled(name, look.heading())));
        }
        let indent = if view.branch().is_some() { "  " } else { "" };
        let chosen = view == app.view;
        // The sign stays where a terminal shows nothing reversed.
        let sign = if chosen { ">" } else { " " };
        let style = if chosen && app.focus == Focus::Tree { look.chosen() } else { Style::new() };
        lines.push(Line::from(vec![Span::raw(sign), Span::styled(format!("{indent}{}", view.title()), style)]));
    }
    frame.render_widget(Paragraph::new(lines).block(Block::bordered()), area);
}

fn rows(frame: &mut Frame<'_>, area: Rect, app: &App, table: Option<&Table>, look: Look) {
    let search = if app.search.is_empty() {
        String::new()
    } else {
        format!(", {} to {}", app.search.source, app.search.destination)
    };
    let Some(table) = table else {
        let block = Block::bordered().title(app.view.full_title());
        frame.render_widget(Paragraph::new("the service is being asked").block(block), area);
        return;
    };
    let block = Block::bordered().title(format!("{} ({}{search})", app.view.full_title(), table.rows.len()));
    let widths = fitting(table, app.column, usize::from(area.width.saturating_sub(3)));
    let shown = widths.len();
    let header = table.columns.iter().enumerate().skip(app.column).take(shown).map(|(index, name)| {
        let sign = match app.sorted {
            Some((column, descending)) if column == index => {
                if descending {
                    " v"
                } else {
                    " ^"
                }
            }
            _ => "",
        };
        Cell::from(format!("{name}{sign}"))
    });
    let lines = table.rows.iter().map(|row| {
        let cells = row.cells.iter().skip(app.column).take(shown).enumerate().map(|(place, cell)| {
            let sign = if row.bad && place == 0 { "! " } else { "" };
            Cell::from(format!("{sign}{}", cell.text))
        });
        Row::new(cells).style(if row.bad { look.bad() } else { Style::new() })
    });
    let widths = widths.into_iter().map(|width| Constraint::Length(u16::try_from(width).unwrap_or(u16::MAX)));
    let chosen = if app.focus == Focus::Rows { look.chosen() } else { Style::new() };
    let rows = Rows::new(lines, widths)
        .header(Row::new(header).style(look.heading()))
        .row_highlight_style(chosen)
        .highlight_symbol(if app.focus == Focus::Rows { ">" } else { " " })
        .block(block);
    let mut state = TableState::new().with_selected((!table.rows.is_empty()).then_some(app.row));
    frame.render_stateful_widget(rows, area, &mut state);
}

/// How wide the columns from `first` on are that have room in `room`; the last one has what is left.
fn fitting(table: &Table, first: usize, room: usize) -> Vec<usize> {
    let mut left = room;
    let mut widths = Vec::new();
    for width in table.widths().into_iter().skip(first) {
        // Room for the signs.
        let width = (width + 2).min(WIDEST);
        if !widths.is_empty() && left < LEAST {
            break;
        }
        widths.push(width.min(left));
        left = left.saturating_sub(width + 1);
    }
    widths
}

fn foot(app: &App, look: Look) -> Paragraph<'static> {
    match &app.error {
        Some(error) => Paragraph::new(format!("! {}", error.replace('\n', " "))).style(look.bad()),
        None => Paragraph::new("? help  r refresh  Tab tree/rows  / search  s sort  n names  q end"),
    }
}

fn help(frame: &mut Frame<'_>, look: Look) {
    let lines = HELP.iter().map(|(keys, what)| {
        Line::from(vec![Span::styled(format!("{keys:12}"), look.heading()), Span::raw(format!(" {what}"))])
    });
    over(frame, "Keys", lines.collect(), look);
}

fn details(frame: &mut Frame<'_>, app: &App, table: Option<&Table>, look: Look) {
    let mut lines = Vec::new();
    if let Some((table, row)) = table.and_then(|table| Some((table, table.rows.get(app.row)?))) {
        for (name, cell) in table.columns.iter().zip(&row.cells) {
            let name = Span::styled(format!("{name:28}"), look.heading());
            lines.push(Line::from(vec![name, Span::raw(cell.text.replace('\n', " "))]));
        }
    }
    over(frame, &app.view.full_title(), lines, look);
}

/// Lays lines over the screen.
fn over(frame: &mut Frame<'_>, title: &str, lines: Vec<Line<'_>>, look: Look) {
    let all = frame.area();
    let width = all.width.saturating_sub(4);
    // Long lines are broken.
    let height: usize = lines.iter().map(|line| line.width().div_ceil(usize::from(width.max(3) - 2)).max(1)).sum();
    let height = u16::try_from(height + 2).unwrap_or(u16::MAX).min(all.height.saturating_sub(2));
    let area = Rect { x: all.x + 2, y: all.y + 1, width, height };
    frame.render_widget(Clear, area);
    let block = Block::bordered().title(Span::styled(title.to_owned(), look.heading()));
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(block), area);
}
