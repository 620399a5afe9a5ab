use super::*;

fn name(text: &str) -> Vec<u8> {
    encode(text).expect("a name")
}

#[test]
fn an_asterisk_alone_is_any_value_of_its_place() {
    let form = Form::parse("C=CH, O=Example, OU=*, CN=*").expect("a form");
    for (text, expected) in [
        ("C=CH, O=Example, OU=research, CN=host", true),
        ("c=ch, o=EXAMPLE, ou=sales, cn=a b c", true),
        ("C=CH, O=Example, OU=*, CN=*", true),
        ("C=CH, O=Another, OU=research, CN=host", false),
        ("C=CH, O=Example, CN=host", false),
        ("C=CH, O=Example, CN=host, OU=research", false),
        ("C=CH, O=Example, OU=research, CN=host, CN=more", false),
        ("C=CH, O=Example, OU=research+UID=1, CN=host", false),
        ("C=CH, O=Example, OU=research, UID=host", false),
    ] {
        assert_eq!(form.matches(&name(text)), expected, "{text}");
    }
    assert!(!form.matches(b"no name") && !form.matches(&[]));
    assert_eq!(form.to_string(), "C=CH, O=Example, OU=*, CN=*");
}

#[test]
fn of_several_values_of_one_part_each_has_its_own() {
    let form = Form::parse("O=Example, CN=host+2.5.4.5=*").expect("a form");
    assert!(form.matches(&name("O=Example, CN=host+serialNumber=7")));
    assert!(!form.matches(&name("O=Example, CN=other+serialNumber=7")));
    assert!(!form.matches(&name("O=Example, CN=host")));
    assert!(!form.matches(&name("O=Example, CN=host+OU=7")));
}

#[test]
fn other_asterisks_are_only_that() {
    for text in ["C=CH, CN=host", "CN=*.example", "CN=\\*", "CN=a*", "CN=\\2a", "OU=**"] {
        assert_eq!(Form::parse(text), None, "{text}");
    }
    for text in ["CN", "", "=*", "X=*"] {
        assert_eq!(Form::parse(text), None, "{text}");
    }
    let form = Form::parse("O=\\*, CN=*").expect("a form");
    assert!(form.matches(&name("O=\\*, CN=host")) && !form.matches(&name("O=Example, CN=host")));
}
