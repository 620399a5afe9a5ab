use super::*;

#[test]
fn the_seeds_are_read_to_their_ends() {
    for (name, octets) in command_seeds() {
        fuzz_command(&octets);
        let (text, _) = decode(&octets[1..], None).unwrap();
        let dialect = [Dialect::Netsh, Dialect::Batch, Dialect::PowerShell][usize::from(octets[0] % 3)];
        let context = [Context::Static, Context::Dynamic, Context::Root][usize::from(octets[0] / 3 % 3)];
        let mut interpreter = Interpreter::new(context);
        let mut commands = 0;
        for statement in statements(dialect, &text) {
            match statement.kind {
                StatementKind::Netsh(words) => {
                    let read = interpreter.interpret(words);
                    assert!(read.is_ok(), "{name}:{}: {read:?}", statement.at.line);
                    commands += 1;
                }
                StatementKind::Wrong(error) => panic!("{name}: {error}"),
                StatementKind::Skipped(_) => {}
            }
        }
        assert!(commands > 0, "{name}");
    }
}

#[test]
fn the_longest_lines_end() {
    let long = |text: &str| [&[0_u8][..], text.repeat(LONGEST / 4).as_bytes()].concat();
    for text in [
        "a",
        "\"",
        "add ",
        "name=",
        "^\n",
        "%A%",
        "\\'",
        "10.0.0.1-",
        "ESP[",
        ">",
        "&",
        "$a",
        "'",
        "`\n",
        "1>",
        "set A=%A%\n",
        "(",
        "a(",
        "@",
        "if ",
        "for in(",
        "a&(",
        "{",
        "<#",
        "@'\n",
        "\"\n",
        "%",
        "goto a\n:a\n",
    ] {
        for kind in 0..9 {
            let mut octets = long(text);
            octets[0] = kind;
            fuzz_command(&octets);
        }
    }
    let value = format!("add filteraction A qmsecmethods=\"{}\"", "ESP[3DES,SHA1] ".repeat(4000));
    fuzz_command(&[&[0_u8][..], value.as_bytes()].concat());
}
