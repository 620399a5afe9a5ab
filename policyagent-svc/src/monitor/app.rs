//! What the monitor is showing, and what keys make of it. Nothing here draws or asks.
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::net::IpAddr;
use std::time::Duration;

use super::names::Names;
use super::search::{Search, Side};
use super::table::Table;
use super::view::{Look, Told, View};

/// The intervals that there are; 0 is by hand alone.
const INTERVALS: [u64; 8] = [0, 1, 2, 5, 10, 15, 45, 60];

/// How far a page is.
const PAGE: usize = 10;

/// How often negotiations are asked for while they are looked at, unless that is by hand.
const LIVE: Duration = Duration::from_secs(1);

/// What is to be done after a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Action {
    /// Nothing but drawing.
    Draw,
    /// Ask the service now.
    Refresh,
    /// End.
    Quit,
}

/// Where the arrow keys move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Focus {
    /// In the tree.
    Tree,
    /// In the rows.
    Rows,
}

/// What lies over the screen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Over {
    /// Nothing.
    Nothing,
    /// The keys.
    Help,
    /// All columns of the row.
    Details,
    /// The question for one side of a search: what was typed, and the source once that is known.
    Asking { typed: String, source: Option<Side>, wrong: Option<String> },
}

/// The monitor.
#[derive(Debug)]
pub(super) struct App {
    /// What the service has last told; nothing before it has told anything.
    pub(super) told: Option<Told>,
    /// Why it has told nothing since.
    pub(super) error: Option<String>,
    /// The view.
    pub(super) view: View,
    /// Where the arrow keys move.
    pub(super) focus: Focus,
    /// The row.
    pub(super) row: usize,
    /// The first column that is shown.
    pub(super) column: usize,
    /// The column that is sorted by, and whether the greatest is first.
    pub(super) sorted: Option<(usize, bool)>,
    /// What is searched for.
    pub(super) search: Search,
    /// What lies over it.
    pub(super) over: Over,
    /// How often the service is asked, seconds; 0: by hand alone.
    pub(super) interval: u64,
    /// Names for addresses are shown.
    pub(super) by_name: bool,
    names: Names,
    own: Vec<IpAddr>,
}

impl App {
    /// A monitor that has been told nothing.
    pub(super) fn new(interval: u64, by_name: bool, names: Names, own: Vec<IpAddr>) -> Self {
        Self {
            told: None,
            error: None,
            view: View::ActivePolicy,
            focus: Focus::Tree,
            row: 0,
            column: 0,
            sorted: None,
            search: Search::default(),
            over: Over::Nothing,
            interval,
            by_name,
            names,
            own,
        }
    }

    /// The service has told something, or has not.
    pub(super) fn take(&mut self, told: Result<Told, String>) {
        match told {
            Ok(told) => {
                self.told = Some(told);
                self.error = None;
            }
            Err(error) => self.error = Some(error),
        }
    }

    /// Names have come; true if there are new ones to show.
    pub(super) fn take_names(&mut self) -> bool {
        self.names.take() && self.by_name
    }

    /// After how long the service is asked again.
    pub(super) fn refresh_after(&self) -> Option<Duration> {
        let interval = (self.interval > 0).then(|| Duration::from_secs(self.interval));
        interval.map(|interval| if self.view == View::Negotiations { interval.min(LIVE) } else { interval })
    }

    /// What the view shows.
    pub(super) fn table(&mut self) -> Option<Table> {
        let told = self.told.as_ref()?;
        let names = self.by_name.then_some(&mut self.names);
        let mut table = self.view.table(told, &mut Look { search: &self.search, own: &self.own, names });
        if let Some((column, descending)) = self.sorted {
            table.sort(column, descending);
        }
        // Rows may have gone.
        self.row = self.row.min(table.rows.len().saturating_sub(1));
        self.column = self.column.min(table.columns.len().saturating_sub(1));
        Some(table)
    }

    /// A key was pressed.
    pub(super) fn key(&mut self, key: KeyEvent) -> Action {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Action::Quit;
        }
        match self.over {
            Over::Asking { .. } => self.answer(key.code),
            // Any key leads back.
            Over::Help | Over::Details => self.over = Over::Nothing,
            Over::Nothing => return self.plain_key(key.code),
        }
        Action::Draw
    }

    fn plain_key(&mut self, code: KeyCode) -> Action {
        match code {
            KeyCode::Char('q') => return Action::Quit,
            KeyCode::Char('r') | KeyCode::F(5) => return Action::Refresh,
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.over = Over::Help,
            KeyCode::Char('+') => self.change_interval(1),
            KeyCode::Char('-') => self.change_interval(-1),
            KeyCode::Char('n') => self.by_name = !self.by_name,
            KeyCode::Char('/') => self.over = Over::Asking { typed: String::new(), source: None, wrong: None },
            KeyCode::Char('c') => self.search = Search::default(),
            KeyCode::Char('s') => self.sort_by_next(),
            KeyCode::Char('S') => self.sorted = self.sorted.map(|(column, descending)| (column, !descending)),
            KeyCode::Tab | KeyCode::BackTab => {
                self.focus = if self.focus == Focus::Tree { Focus::Rows } else { Focus::Tree };
            }
            KeyCode::Esc => self.focus = Focus::Tree,
            KeyCode::Enter if self.focus == Focus::Tree => self.focus = Focus::Rows,
            KeyCode::Enter => self.over = Over::Details,
            KeyCode::Left => self.column = self.column.saturating_sub(1),
            KeyCode::Right => self.column += 1,
            KeyCode::Up => self.step(-1),
            KeyCode::Down => self.step(1),
            KeyCode::PageUp => self.step(-(PAGE as isize)),
            KeyCode::PageDown => self.step(PAGE as isize),
            KeyCode::Home => self.step(isize::MIN),
            KeyCode::End => self.step(isize::MAX),
            _ => {}
        }
        Action::Draw
    }

    fn step(&mut self, by: isize) {
        if self.focus == Focus::Rows {
            self.row = self.row.saturating_add_signed(by);
            return;
        }
        let now = View::ALL.iter().position(|view| *view == self.view).unwrap_or(0);
        let next = now.saturating_add_signed(by).min(View::ALL.len() - 1);
        self.view = View::ALL.get(next).copied().unwrap_or(self.view);
        (self.row, self.column, self.sorted) = (0, 0, None);
    }

    fn change_interval(&mut self, by: isize) {
        let now = INTERVALS.iter().position(|interval| *interval >= self.interval).unwrap_or(INTERVALS.len() - 1);
        let next = now.saturating_add_signed(by).min(INTERVALS.len() - 1);
        self.interval = INTERVALS.get(next).copied().unwrap_or(self.interval);
    }

    fn sort_by_next(&mut self) {
        let columns = self.table().map_or(0, |table| table.columns.len());
        let next = self.sorted.map_or(0, |(column, _)| column + 1);
        self.sorted = (next < columns).then_some((next, false));
    }

    /// A key while a side is asked for.
    fn answer(&mut self, code: KeyCode) {
        let Over::Asking { typed, source, wrong } = &mut self.over else { return };
        match code {
            KeyCode::Esc => self.over = Over::Nothing,
            KeyCode::Backspace => {
                typed.pop();
            }
            KeyCode::Char(c) if typed.len() < 64 => typed.push(c),
            KeyCode::Enter => match typed.parse::<Side>() {
                Err(error) => *wrong = Some(error),
                Ok(side) => match source.take() {
                    None => self.over = Over::Asking { typed: String::new(), source: Some(side), wrong: None },
                    Some(source) => {
                        self.search = Search { source, destination: side };
                        self.over = Over::Nothing;
                        self.row = 0;
                    }
                },
            },
            _ => {}
        }
    }
}
