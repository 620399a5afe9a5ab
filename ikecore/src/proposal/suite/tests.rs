use super::*;

#[test]
fn the_shorter_limit_of_each_kind_is_agreed_on() {
    let life = |seconds, kilobytes| Lifetime { seconds, kilobytes };
    assert_eq!(life(3600, 10).agreed(life(600, 20)), life(600, 10));
    assert_eq!(life(600, 20).agreed(life(3600, 10)), life(600, 10));
    assert_eq!(life(0, 0).agreed(life(600, 10)), life(600, 10));
    assert_eq!(life(86_400, 10).agreed(life(0, 0)), life(DEFAULT_LIFE_SECONDS, 10));
    assert_eq!(life(0, 0).agreed(life(0, 0)), life(DEFAULT_LIFE_SECONDS, 0));
}

#[test]
fn suites_that_cannot_be_negotiated_are_not_sound() {
    let esp = |cipher, integrity| IpsecSuite::Esp { cipher, integrity };
    let sha = Some(Integrity::HmacSha1_96);
    assert!(!esp(EspCipher::Null, None).is_sound());
    assert!(!esp(EspCipher::Aes128Gcm16, sha).is_sound());
    assert!(esp(EspCipher::Aes128Gcm16, None).is_sound());
    assert!(esp(EspCipher::Null, sha).is_sound());
    assert!(esp(EspCipher::TripleDesCbc, None).is_sound());
    assert!(!esp(EspCipher::Aes256Ctr, None).is_sound());
    assert!(esp(EspCipher::Aes256Ctr, sha).is_sound());
    assert!(IpsecSuite::all().all(IpsecSuite::is_sound));
    let bare = esp(EspCipher::TripleDesCbc, None);
    assert!(!bare.alone().authenticates() && esp(EspCipher::Aes128Gcm16, None).alone().authenticates());
    assert!(ProtectionSuite { outer: sha, ..bare.alone() }.authenticates());
    assert_eq!(bare.to_string(), "ESP 3DES-CBC without integrity");
}
