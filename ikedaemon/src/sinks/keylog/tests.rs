use super::*;
use ikecore::endpoint::key_log::EspKey;
use ikecore::ids::{Cookie, Spi};
use ikecore::proposal::suite::{EspCipher, Integrity, IpsecSuite};
use ikecore::secret::Secret;

/// A directory of this test's own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("policyagent-keylog-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn isakmp() -> LoggedKey {
    LoggedKey::Isakmp { initiator: Cookie([1, 2, 3, 4, 5, 6, 7, 0xf8]), key: Secret::new(vec![0xab, 0, 0x0c]) }
}

fn esp(cipher: EspCipher, integrity: Option<Integrity>) -> EspKey {
    let suite = IpsecSuite::Esp { cipher, integrity };
    EspKey {
        source: "10.0.0.1".parse().unwrap(),
        destination: "10.0.0.2".parse().unwrap(),
        encapsulated: false,
        spi: Spi(0xc0ff_ee01),
        cipher,
        integrity,
        encryption_key: Secret::new(vec![0x11; suite.encryption_key_len()]),
        integrity_key: Secret::new(vec![0x22; suite.integrity_key_len()]),
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn the_tables_have_wiresharks_form_and_are_for_nobody_else() {
    let scratch = Scratch::new("form");
    let log = KeyLog::open(scratch.0.join("keys")).unwrap();
    log.write(&isakmp()).unwrap();
    log.write(&LoggedKey::Esp(esp(EspCipher::TripleDesCbc, Some(Integrity::HmacSha256_128)))).unwrap();
    let table = |name: &str| fs::read_to_string(log.directory().join(name)).unwrap();
    assert_eq!(table(ISAKMP_TABLE), format!("{WARNING}01020304050607f8,ab000c\n"));
    let (encryption, integrity) = ("11".repeat(24), "22".repeat(32));
    assert_eq!(
        table(ESP_TABLE),
        format!(
            "{WARNING}\"IPv4\",\"10.0.0.1\",\"10.0.0.2\",\"0xc0ffee01\",\"TripleDES-CBC [RFC2451]\",\"0x{encryption}\",\
             \"HMAC-SHA-256-128 [RFC4868]\",\"0x{integrity}\"\n"
        )
    );
    assert_eq!(mode(log.directory()), 0o700);
    assert_eq!([ISAKMP_TABLE, ESP_TABLE].map(|name| mode(&log.directory().join(name))), [0o600; 2]);

    // The next run goes on in them, and a table that was taken away is begun again.
    let again = KeyLog::open(log.directory().to_owned()).unwrap();
    again.write(&isakmp()).unwrap();
    assert_eq!(table(ISAKMP_TABLE).lines().count(), 3);
    fs::remove_file(log.directory().join(ESP_TABLE)).unwrap();
    again.write(&LoggedKey::Esp(esp(EspCipher::Aes128Gcm16, None))).unwrap();
    assert!(
        table(ESP_TABLE).starts_with(WARNING) && table(ESP_TABLE).ends_with(",\"NULL\",\"\"\n"),
        "{}",
        table(ESP_TABLE)
    );
}

#[test]
fn behind_a_nat_any_address_will_do() {
    let mut key = esp(EspCipher::Null, Some(Integrity::HmacMd5_96));
    key.encapsulated = true;
    let line = lines::esp(&key).unwrap();
    assert!(
        line.starts_with("\"IPv4\",\"*\",\"*\",\"0xc0ffee01\",\"NULL\",\"\",\"HMAC-MD5-96 [RFC2403]\""),
        "{}",
        *line
    );
}

#[test]
fn every_suite_that_wireshark_knows_has_its_line() {
    let unknown: Vec<_> =
        EspCipher::ALL.into_iter().filter(|cipher| lines::esp(&esp(*cipher, None)).is_none()).collect();
    assert_eq!(unknown, [EspCipher::Camellia128Cbc, EspCipher::Camellia192Cbc, EspCipher::Camellia256Cbc]);
    let scratch = Scratch::new("unknown");
    let log = KeyLog::open(scratch.0.clone()).unwrap();
    log.write(&LoggedKey::Esp(esp(EspCipher::Camellia128Cbc, None))).unwrap();
    assert_eq!(fs::read_to_string(scratch.0.join(ESP_TABLE)).unwrap(), WARNING);
}

#[test]
fn what_others_can_read_is_refused() {
    let scratch = Scratch::new("modes");
    let log = KeyLog::open(scratch.0.clone()).unwrap();
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let table = scratch.0.join(ISAKMP_TABLE);
    set(&table, 0o640);
    let error = log.write(&isakmp()).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("key log {}: its mode is 0640, allowed is 0600, so that nobody else reads the keys", table.display())
    );
    assert_eq!(fs::read_to_string(&table).unwrap(), WARNING, "nothing is written into it");
    set(&table, 0o600);
    set(&scratch.0, 0o755);
    let error = KeyLog::open(scratch.0.clone()).unwrap_err().to_string();
    assert!(error.contains("its mode is 0755, allowed is 0700"), "{error}");
    // Nor is what a link leads to.
    set(&scratch.0, 0o700);
    fs::remove_file(&table).unwrap();
    std::os::unix::fs::symlink(scratch.0.join("elsewhere"), &table).unwrap();
    assert!(matches!(log.write(&isakmp()), Err(KeyLogError::File { .. })));
}

#[test]
fn what_was_written_is_read_again() {
    let scratch = Scratch::new("read");
    let log = KeyLog::open(scratch.0.join("keys")).unwrap();
    log.write(&isakmp()).unwrap();
    let ciphers = EspCipher::ALL.into_iter().filter(|cipher| lines::esp(&esp(*cipher, None)).is_some());
    let written: Vec<EspKey> = ciphers
        .zip(Integrity::ALL.into_iter().cycle())
        .map(|(cipher, integrity)| esp(cipher, (!cipher.is_aead()).then_some(integrity)))
        .chain([EspKey { encapsulated: true, ..esp(EspCipher::Null, Some(Integrity::HmacMd5_96)) }])
        .collect();
    let shown: Vec<String> = written.iter().map(|key| lines::esp(key).unwrap().to_string()).collect();
    written.into_iter().for_each(|key| log.write(&LoggedKey::Esp(key)).unwrap());
    let read = read::read(log.directory()).unwrap();
    let [LoggedKey::Isakmp { initiator, key }, rest @ ..] = read.as_slice() else { panic!("{read:?}") };
    assert_eq!((initiator.to_string().as_str(), key.expose().as_slice()), ("01020304050607f8", &[0xab, 0, 0x0c][..]));
    let again = rest.iter().map(|key| match key {
        LoggedKey::Esp(key) => lines::esp(key).unwrap().to_string(),
        other => panic!("{other:?}"),
    });
    assert_eq!(again.collect::<Vec<_>>(), shown);

    fs::write(log.directory().join(ISAKMP_TABLE), "01020304050607f8,ab\n01,ab\n").unwrap();
    let error = read::read(log.directory()).unwrap_err().to_string();
    assert!(error.ends_with("line 2: allowed: a cookie of 16 hexadecimal digits, and a key"), "{error}");
    let error = read::read(&scratch.0.join("nowhere")).unwrap_err().to_string();
    assert!(error.contains("No such file"), "{error}");
}
