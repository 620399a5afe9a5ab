//! Authentication methods, in the order of the line.
use super::super::arguments::{Arguments, Value};
use super::super::error::{LanguageError, Problem};
use super::super::keyword::{Match, by_prefix};
use super::Wrong;
use crate::netsh::command::Method;

/// The methods of a line; nothing if it names none.
pub(in super::super) fn methods(arguments: &Arguments<'_>) -> Result<Option<Vec<Method>>, LanguageError> {
    let mut methods = Vec::new();
    for value in arguments.all_of(&["kerberos", "psk", "rootca"]) {
        match value.parameter.tag {
            "kerberos" => {
                if value.keyword(&[("yes", true), ("no", false)])? {
                    methods.push(Method::Kerberos);
                }
            }
            "psk" => methods.push(key(&value)?),
            _ => methods.push(root_ca(&value)?),
        }
    }
    Ok(Some(methods).filter(|methods| !methods.is_empty()))
}

fn key(value: &Value<'_>) -> Result<Method, LanguageError> {
    let key = value.secret();
    if key.is_empty() || key.chars().any(char::is_control) {
        let allowed = "a key of at least one character, without control characters";
        return Err(LanguageError::new(value.at(), Problem::Secret { tag: "psk", allowed: allowed.to_owned() }));
    }
    Ok(Method::PresharedKey(key))
}

fn root_ca(value: &Value<'_>) -> Result<Method, LanguageError> {
    let text = value.plain()?;
    let mut name = text.trim();
    let (mut certificate_mapping, mut exclude_ca_name) = (None, None);
    // What stands behind the name, from the end: a name may have blanks itself.
    while let Some((before, last)) = name.rsplit_once(char::is_whitespace) {
        let Some((tag, answer)) = last.split_once(':') else { break };
        let option = match by_prefix(tag, &["certmap", "excludecaname"]) {
            Match::One("certmap") => &mut certificate_mapping,
            Match::One(_) => &mut exclude_ca_name,
            _ => break,
        };
        let yes = match by_prefix(answer, &["yes", "no"]) {
            Match::One(answer) => answer == "yes",
            _ => {
                let index = name.chars().count() - answer.chars().count();
                return Err(value.wrong(Wrong { index, ..Wrong::whole(last) }.allowed(&format!("{tag}:yes, {tag}:no"))));
            }
        };
        if option.replace(yes).is_some() {
            let index = name.chars().count() - last.chars().count();
            return Err(
                value.wrong(Wrong { index, ..Wrong::whole(last) }.allowed("certmap and excludecaname once each"))
            );
        }
        name = before.trim_end();
    }
    if name.is_empty() || !name.contains('=') {
        return Err(value.wrong(Wrong::whole(&text)));
    }
    Ok(Method::RootCa {
        name: name.to_owned(),
        certificate_mapping: certificate_mapping.unwrap_or(false),
        exclude_ca_name: exclude_ca_name.unwrap_or(false),
    })
}
