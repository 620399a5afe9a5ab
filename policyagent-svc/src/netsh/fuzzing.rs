//! The body of the fuzz target for commands and scripts.
use super::language::{Context, Interpreter, Outcome, Secrets, complete, line, says};
use super::script::{Dialect, StatementKind, decode, statements};

/// As much as is read of an input: the rest makes it slower, and not other.
const LONGEST: usize = 1 << 16;

/// The first octet says what the rest is written in. Nothing panics, and what is printed reads as what it was.
pub(crate) fn fuzz_command(octets: &[u8]) {
    let Some((kind, octets)) = octets.split_first() else { return };
    let octets = octets.get(..LONGEST).unwrap_or(octets);
    let Ok((text, _)) = decode(octets, None) else { return };
    let dialect = [Dialect::Netsh, Dialect::Batch, Dialect::PowerShell][usize::from(kind % 3)];
    let context = [Context::Static, Context::Dynamic, Context::Root][usize::from(kind / 3 % 3)];
    let mut interpreter = Interpreter::new(context);
    for statement in statements(dialect, &text) {
        let StatementKind::Netsh(words_of_line) = statement.kind else { continue };
        if dialect.starts_anew() {
            interpreter = Interpreter::new(context);
        }
        let Ok(Outcome::Command(command)) = interpreter.interpret(words_of_line) else { continue };
        let printed = line(&command, Secrets::Shown);
        assert!(says(&printed, &command), "the command is printed as another");
    }
    for text in text.lines().take(64) {
        let (at, _) = complete(context, text);
        assert!(text.is_char_boundary(at), "what is completed begins within a character");
    }
}

/// Scripts for the corpus, each with its file name.
pub(crate) fn command_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let seed = |kind: u8, text: &str| [&[kind], text.as_bytes()].concat();
    let static_script = "# a policy\nadd filterlist name=\"Web servers\"\nadd filter \"Web servers\" srcaddr=any dstaddr=me \
                         proto=tcp dstport=80\nadd filter \"Web servers\" 10.0.0.1-10.0.0.9 me\nadd filteraction name = Protect \
                         action =negotiate qmsec=\"ESP[AES256,SHA256]:100000k/3600s AH[MD5]+ESP[3DES,None]\"\nadd policy P \
                         mmpfs=y mmlifetime=60 mmsec=\"AES256-SHA256-DH14 3DES-SHA1-2\"\nadd rule R P \"Web servers\" Protect \
                         psk=\"say \\'sesame\\'\" rootca=\"C=US,CN=\\'A, B\\' certmap:yes\" kerberos=no\nset policy \
                         {3f91a819-7647-11d1-864d-d46a00000000} assign=y\nshow rule all P level=v\npushd ipsec \
                         dynamic\nshow mmsas all\npopd\nexec other.txt\nbye\n";
    let dynamic_script = "add mmp M softsa=480\nadd qmp Q pfsgroup=grp2\nadd rule me 2001:db8::/32 M Q protocol=17 srcport=1 \
                          mirrored=no tunneldst=gw.example psk=k\nset config bootexemptions \"ICMP:inbound TCP:80:80:outbound\"\n\
                          delete rule srcaddr=dns protocol=any srcport=0 dstport=0 mirrored=yes conntype=all\nshow stats ike\n";
    let batch = "@echo off\r\nREM remark\r\nset NET=10.1.0.0\r\n\"%SystemRoot%\\system32\\netsh.exe\" ipsec static ^\r\n  add filter \
                 F srcaddr=%NET% srcmask=16 dstaddr=Me > nul 2>&1 & pause\r\n:end\r\nexit /b\r\n";
    let powershell = "$name = 'Two words' # set\nnetsh ipsec static add filterlist \"name=$name\" `\n  description='don''t' | \
                      Out-Null; Write-Host \"netsh\"\n";
    let utf16 =
        [&[0_u8][..], b"\xff\xfe", &"dump\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()].concat();
    vec![
        ("static", seed(0, static_script)),
        ("dynamic", seed(3, dynamic_script)),
        ("batch", seed(7, batch)),
        ("powershell", seed(8, powershell)),
        ("utf-16", utf16),
        ("windows-1252", [&[0_u8][..], b"add filterlist name=B\xfcro\n"].concat()),
    ]
}

#[cfg(test)]
mod tests;
