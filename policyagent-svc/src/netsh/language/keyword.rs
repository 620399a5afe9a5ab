//! Words that may be abbreviated.

/// What an abbreviation stands for.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Match<T> {
    One(T),
    Several(Vec<&'static str>),
    None,
}

/// The name that `text` is, or of which alone it is the beginning; in whatever case.
pub(crate) fn by_prefix(text: &str, names: &[&'static str]) -> Match<&'static str> {
    if let Some(name) = names.iter().find(|name| name.eq_ignore_ascii_case(text)) {
        return Match::One(name);
    }
    let begins = |name: &&&'static str| {
        !text.is_empty() && name.get(..text.len()).is_some_and(|head| head.eq_ignore_ascii_case(text))
    };
    let mut candidates: Vec<_> = names.iter().filter(begins).copied().collect();
    candidates.dedup();
    match candidates.as_slice() {
        [] => Match::None,
        [one] => Match::One(one),
        _ => Match::Several(candidates),
    }
}
