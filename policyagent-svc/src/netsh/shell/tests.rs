use super::call::{Call, call};
use super::*;

fn called(text: &str) -> Result<Call, LanguageError> {
    call(words(&placed(text, 1)).unwrap())
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
        ("-r gate dump", 1),
        ("-p secret", 1),
    ] {
        let error = called(wrong).map(|_| ()).unwrap_err();
        assert_eq!(error.at.column, column, "{wrong}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
