use super::super::language::Outcome;
use super::call::{self, Call, call};
use super::*;

fn called(text: &str) -> Result<Call, LanguageError> {
    call(words(&placed(text, 1)).unwrap())
}

#[test]
fn a_netsh_within_a_script_that_would_read_its_standard_input_is_an_error() {
    let at = crate::document::Position { line: 3, column: 7 };
    for text in ["", "ipsec static", "-c \"ipsec static\"", "-c ipsec dynamic"] {
        let Ok(Call::Words(context, words)) = called(text) else { panic!("{text}") };
        let error = call::command(context, words, at).map(|_| ()).unwrap_err();
        assert!(error.at == at && error.to_string().starts_with("netsh has no command here"), "{text}: {error}");
    }
    let Ok(Call::Words(context, words)) = called("-c \"ipsec static\" show store") else { panic!() };
    assert!(matches!(call::command(context, words, at), Ok((Outcome::Command(_), _))));
}

#[test]
fn a_netsh_within_a_script_has_a_context_or_a_script_of_its_own() {
    assert!(matches!(called("ipsec static dump"), Ok(Call::Words(Context::Root, words)) if words.len() == 3));
    assert!(
        matches!(called("-c \"ipsec static\" show store"), Ok(Call::Words(Context::Static, words)) if words.len() == 2)
    );
    assert!(matches!(called("-C ipsec -f \"a b.txt\""), Ok(Call::Script(Context::Ipsec, file)) if file == "a b.txt"));
    for (wrong, column) in [
        ("-c", 1),
        ("-c nowhere dump", 4),
        ("-c \"ipsec static dump\" x", 4),
        ("-f a b", 6),
        ("-f -", 4),
        ("-r gate dump", 1),
        ("-p secret", 1),
    ] {
        let error = called(wrong).map(|_| ()).unwrap_err();
        assert_eq!(error.at.column, column, "{wrong}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
