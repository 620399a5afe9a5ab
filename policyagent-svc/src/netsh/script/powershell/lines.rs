//! Lines of PowerShell, joined where they belong together, without comments.
use super::super::super::language::lexer::{Placed, placed};
use crate::document::Position;

/// A line and those that it goes on in.
pub(super) struct Line {
    /// Text that goes over several lines is left out of it; in its place is a blank that counts as quoted.
    pub(super) characters: Vec<Placed>,
    /// What is opened in it, and nowhere closed.
    pub(super) open: Option<(Position, &'static str)>,
}

/// What a character stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Nothing,
    /// `<#` and `#>`.
    Comment,
    /// Quotes of this kind.
    Quotes(char),
    /// `@'` and `'@`, which stand at the end and the front of lines.
    HereText(char),
}

struct Reader {
    characters: Vec<Placed>,
    within: Within,
    /// Where it began.
    at: Position,
}

/// Takes the next line off those of the script.
pub(super) fn next<'a>(lines: &mut impl Iterator<Item = (usize, &'a str)>) -> Option<Line> {
    let mut reader = Reader { characters: Vec::new(), within: Within::Nothing, at: Position { line: 1, column: 1 } };
    let (number, line) = lines.next()?;
    let mut goes_on = reader.read(&placed(line, number), false);
    while goes_on {
        let Some((number, line)) = lines.next() else { break };
        goes_on = reader.read(&placed(line, number), reader.within != Within::Nothing);
    }
    let open = match reader.within {
        Within::Nothing => None,
        Within::Comment => Some((reader.at, "a comment is opened here, and not closed")),
        Within::Quotes(_) => Some((reader.at, "a quote is opened here, and not closed")),
        Within::HereText(_) => Some((reader.at, "a text is opened here, and not closed")),
    };
    Some(Line { characters: reader.characters, open })
}

impl Reader {
    /// Reads a line; true if the next one belongs to it. Of text that was open `before`, only the end is kept.
    fn read(&mut self, line: &[Placed], before: bool) -> bool {
        let mut before = before;
        let is = |index: usize, wanted: char| line.get(index).is_some_and(|placed| placed.character == wanted);
        let mut at = 0;
        if let Within::HereText(mark) = self.within {
            if !(is(0, mark) && is(1, '@')) {
                return true;
            }
            self.within = Within::Nothing;
            before = false;
            at = 2;
        }
        while let Some(placed) = line.get(at) {
            let begins = at
                .checked_sub(1)
                .and_then(|last| line.get(last))
                .is_none_or(|last| last.character.is_whitespace() || ";|&(){}".contains(last.character));
            let from = at;
            at += 1;
            match (self.within, placed.character) {
                (Within::Comment, '#') if is(at, '>') => {
                    self.within = Within::Nothing;
                    before = false;
                    at += 1;
                    self.characters.push(Placed { character: ' ', ..*placed });
                    continue;
                }
                (Within::Comment, _) => continue,
                (Within::Nothing, '<') if is(at, '#') => {
                    (self.within, self.at) = (Within::Comment, placed.at);
                    at += 1;
                    continue;
                }
                (Within::Nothing, '#') if begins => break,
                (Within::Nothing, '`') if line.len() == at => return true,
                (Within::Nothing, '@') if begins_here_text(line.get(at..).unwrap_or_default()) => {
                    let mark = line.get(at).map_or('"', |next| next.character);
                    (self.within, self.at) = (Within::HereText(mark), placed.at);
                    self.leave_out(placed.at);
                    return true;
                }
                (Within::Nothing | Within::Quotes('"'), '`') => at += 1,
                (Within::Nothing, mark @ ('\'' | '"')) => (self.within, self.at) = (Within::Quotes(mark), placed.at),
                // A quote that is doubled is one.
                (Within::Quotes(mark), character) if character == mark && is(at, mark) => at += 1,
                (Within::Quotes(mark), character) if character == mark => {
                    self.within = Within::Nothing;
                    before = false;
                }
                _ => {}
            }
            if !before {
                self.characters.extend(line.get(from..at.min(line.len())).unwrap_or_default());
            }
        }
        if let Within::Quotes(_) = self.within {
            self.leave_out(self.at);
        }
        self.within != Within::Nothing
    }

    /// Marks the place of what is left out.
    fn leave_out(&mut self, at: Position) {
        self.characters.push(Placed { character: ' ', at, quoted: true });
    }
}

/// True if a quote and nothing more follows.
fn begins_here_text(rest: &[Placed]) -> bool {
    let (quote, behind) = rest.split_at(rest.len().min(1));
    quote.iter().any(|placed| matches!(placed.character, '\'' | '"'))
        && behind.iter().all(|placed| placed.character.is_whitespace())
}
