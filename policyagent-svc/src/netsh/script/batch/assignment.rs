//! `set`.
use super::super::super::language::lexer::Placed;
use super::super::variables::Variables;
use super::text_of;

/// Does what a `set` says, and tells it; `rest` is what stands behind the word. If it is not `certain` that it is carried
/// out, or what of, the variable is no longer known.
pub(super) fn set(rest: &[Placed], certain: bool, variables: &mut Variables) -> String {
    let text = text_of(rest);
    let trimmed = text.trim_start();
    let option = trimmed.get(..2).unwrap_or_default().to_ascii_lowercase();
    if option == "/a" {
        let expression = trimmed.get(2..).unwrap_or_default();
        // A name that is in a variable could be any.
        if rest.iter().any(|placed| placed.quoted) {
            variables.forget_all();
        }
        assigned(expression).for_each(|name| variables.forget(name));
        return "set with an expression".to_owned();
    }
    let is_asked = option == "/p";
    let definition = if is_asked { trimmed.get(2..).unwrap_or_default().trim_start() } else { trimmed };
    let inner =
        definition.strip_prefix('"').and_then(|rest| rest.rsplit_once('"')).map_or(definition, |(inner, _)| inner);
    let Some((name, value)) = inner.trim_start_matches('"').split_once('=') else {
        return "set without a value".to_owned();
    };
    let equals = rest.iter().position(|placed| placed.character == '=' && !placed.quoted).unwrap_or_default();
    if rest.iter().take(equals).any(|placed| placed.quoted) {
        variables.forget_all();
        return "the name of what is set is not known".to_owned();
    }
    let name = name.trim();
    if certain && !is_asked && !rest.iter().any(|placed| placed.quoted) {
        variables.set(name, value);
        return format!("the variable {name:?} is set for this script");
    }
    variables.forget(name);
    format!("what the variable {name:?} is set to is not known")
}

/// The names that an expression sets: `A=1, B+=2`.
fn assigned(expression: &str) -> impl Iterator<Item = &str> {
    expression.split(',').flat_map(|part| {
        let before = part.rsplit_once('=').map_or("", |(before, _)| before);
        before.split('=').filter_map(|side| {
            let side = side.trim_end_matches(|c: char| c.is_whitespace() || "+-*/%&^|<>".contains(c));
            side.rsplit(|c: char| c.is_whitespace() || "\"'()+-*/%&^|<>!~".contains(c))
                .next()
                .filter(|name| !name.is_empty())
        })
    })
}
