//! Any octets as what a peer may send of certificates, and as what a file may hold.
use crate::certificate::{
    Certificate, RevocationCheck, RevocationList, Trust, certificates_from_file, certificates_from_pkcs7,
    lists_from_file,
};
use crate::identity::{Identity, dn};

/// Names, which are short enough to begin with. The corpus has certificates and lists besides.
pub fn certificate_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let name = |text| dn::encode(text).unwrap_or_default();
    vec![
        ("name", name("C=CH, O=Example, CN=host")),
        ("name-escaped", name("DC=example, CN=a\\, b+serialNumber=1, 1.2.3=x")),
        ("name-binary", name("CN=#0302055a")),
    ]
}

/// Any octets as a certificate, as PKCS #7, as a revocation list, as a file of them, and as a name: nothing panics, no
/// certificate is trusted but by itself, and a name's text says the same name.
///
/// # Panics
/// If it does not.
pub fn fuzz_certificate(octets: &[u8]) {
    if let Some(text) = dn::text(octets) {
        assert!(!text.contains(char::is_control), "control character in {text:?}");
        if let Ok(again) = dn::encode(&text) {
            assert!(dn::same(octets, &again), "{text} is another name");
        }
        let identity = Identity::DerAsn1Dn(octets.to_vec());
        assert!(identity.matches(&identity));
    }
    let lists: Vec<RevocationList> = RevocationList::from_der("fuzzed", octets.to_vec()).into_iter().collect();
    let _ = (certificates_from_pkcs7(octets), certificates_from_file(octets), lists_from_file("fuzzed", octets));
    let Ok(certificate) = Certificate::from_der(octets) else { return };
    let _ = (certificate.to_string(), certificate.identity().map(|identity| certificate.name(&identity)));
    let trust = Trust {
        authorities: vec![certificate.clone()],
        revocation_lists: Vec::new(),
        revocation_check: RevocationCheck::Revoked,
        legacy: true,
        names_excluded: false,
    };
    let nobody = Trust { authorities: Vec::new(), ..trust.clone() };
    let chain = [certificate.clone(), certificate];
    for now in [0, 1_767_900_000, i64::MAX] {
        let _ = trust.check(&chain, now, &lists);
        assert!(nobody.check(&chain, now, &lists).is_err(), "trusted by nobody, and accepted");
    }
}
