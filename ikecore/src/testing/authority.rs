//! Certification authorities for tests: made at run time, with certificates and revocation lists as they are wanted.
use crate::certificate::Certificate;
use crate::identity::{Identity, dn};
use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use openssl::stack::Stack;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName, SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509Name, X509NameRef};

/// The kind of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyKind {
    /// RSA with so many bits.
    Rsa(u32),
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// ECDSA on P-521.
    P521,
}

impl KeyKind {
    fn generate(self) -> PKey<Private> {
        let curve = match self {
            Self::Rsa(bits) => {
                let key = Rsa::generate(bits).and_then(PKey::from_rsa);
                return key.expect("an RSA key");
            }
            Self::P256 => Nid::X9_62_PRIME256V1,
            Self::P384 => Nid::SECP384R1,
            Self::P521 => Nid::SECP521R1,
        };
        let key = EcGroup::from_curve_name(curve).and_then(|group| EcKey::generate(&group)).and_then(PKey::from_ec_key);
        key.expect("an ECDSA key")
    }
}

/// What a certificate is to say.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The subject: `C=CH, CN=host`; empty: none.
    pub subject: String,
    /// Subject alternative names, as identities are written.
    pub names: Vec<String>,
    /// The kind of its key.
    pub key: KeyKind,
    /// From when on it is valid, in seconds since 1970.
    pub not_before: i64,
    /// Until when.
    pub not_after: i64,
    /// Extended key usages, as object identifiers; none: no extension.
    pub purposes: Vec<String>,
    /// With digitalSignature in its key usage, or with keyEncipherment only.
    pub may_sign: bool,
    /// Signed with SHA-1.
    pub sha1: bool,
}

impl Wish {
    /// A certificate for a host that is valid around `now`.
    pub fn new(subject: &str, names: &[&str], key: KeyKind, now: i64) -> Self {
        Self {
            subject: subject.to_owned(),
            names: names.iter().map(|&name| name.to_owned()).collect(),
            key,
            not_before: now - DAY,
            not_after: now + 30 * DAY,
            purposes: Vec::new(),
            may_sign: true,
            sha1: false,
        }
    }
}

/// A certificate with its key.
pub struct Issued {
    /// The certificate.
    pub certificate: Certificate,
    /// The private key: PKCS #8 in PEM.
    pub key: Vec<u8>,
}

impl Issued {
    /// The certificate in PEM.
    pub fn pem(&self) -> Vec<u8> {
        pem(&self.certificate)
    }

    /// The certificate, its key and the certificates of `authorities` in one file of PKCS #12, in which they are called
    /// `name`.
    pub fn pkcs12(&self, name: &str, authorities: &[&Certificate], password: &str) -> Vec<u8> {
        let x509 = |certificate: &Certificate| X509::from_der(certificate.der()).expect("a certificate");
        let mut above = Stack::new().expect("memory");
        for authority in authorities {
            above.push(x509(authority)).expect("memory");
        }
        let key = PKey::private_key_from_pem(&self.key).expect("a key of ours");
        let mut builder = Pkcs12::builder();
        builder.name(name).pkey(&key).cert(&x509(&self.certificate)).ca(above);
        builder.build2(password).and_then(|file| file.to_der()).expect("PKCS #12")
    }
}

/// A certificate in PEM.
pub fn pem(certificate: &Certificate) -> Vec<u8> {
    X509::from_der(certificate.der()).and_then(|x509| x509.to_pem()).expect("a certificate in PEM")
}

/// A certification authority.
pub struct Authority {
    x509: X509,
    key: PKey<Private>,
    now: i64,
    serial: u32,
}

const DAY: i64 = 86_400;

impl Authority {
    /// One that nobody is above of, valid around `now`.
    pub fn root(subject: &str, key: KeyKind, now: i64) -> Self {
        let key = key.generate();
        let builder = start(subject, &key, 1, now - 10 * DAY, now + 3_650 * DAY);
        let name = name_of(subject);
        let x509 = certify(builder, None, &name, &key);
        Self { x509, key, now, serial: 1 }
    }

    /// One beneath this one.
    pub fn intermediate(&mut self, subject: &str, key: KeyKind) -> Self {
        self.serial += 1;
        let own = key.generate();
        let builder = start(subject, &own, self.serial, self.now - 5 * DAY, self.now + 365 * DAY);
        let x509 = certify(builder, Some(&self.x509), self.x509.subject_name(), &self.key);
        Self { x509, key: own, now: self.now, serial: 1 }
    }

    /// Its certificate.
    pub fn certificate(&self) -> Certificate {
        Certificate::from_der(&self.x509.to_der().expect("DER")).expect("a certificate")
    }

    /// Issues a certificate.
    pub fn issue(&mut self, wish: &Wish) -> Issued {
        self.serial += 1;
        let key = wish.key.generate();
        let mut builder = start(&wish.subject, &key, self.serial, wish.not_before, wish.not_after);
        let mut usage = KeyUsage::new();
        if wish.may_sign {
            usage.digital_signature();
        } else {
            usage.key_encipherment();
        }
        builder.append_extension(usage.critical().build().expect("a key usage")).expect("room");
        if !wish.purposes.is_empty() {
            let mut purposes = ExtendedKeyUsage::new();
            for purpose in &wish.purposes {
                purposes.other(purpose);
            }
            builder.append_extension(purposes.build().expect("an extended key usage")).expect("room");
        }
        if !wish.names.is_empty() {
            let mut names = SubjectAlternativeName::new();
            for name in &wish.names {
                match name.parse().expect("an identity") {
                    Identity::Address(address) => names.ip(&address.to_string()),
                    Identity::Fqdn(name) => names.dns(&name),
                    Identity::UserFqdn(name) => names.email(&name),
                    other => panic!("{other} is no alternative name of these tests"),
                };
            }
            let names = names.build(&builder.x509v3_context(Some(&self.x509), None)).expect("names");
            builder.append_extension(names).expect("room");
        }
        let x509 = sign(builder, Some(&self.x509), self.x509.subject_name(), &self.key, wish.sha1);
        let certificate = Certificate::from_der(&x509.to_der().expect("DER")).expect("a certificate");
        Issued { certificate, key: key.private_key_to_pem_pkcs8().expect("PEM") }
    }

    /// A revocation list in DER: revoked certificates with the time of it, when it is issued, when the next one comes.
    pub fn revocation_list(&self, revoked: &[(&Certificate, i64)], issued: i64, next: i64) -> Vec<u8> {
        let algorithm: &[u8] = match self.key.id() {
            Id::RSA => &[0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0x0b, 5, 0],
            _ => &[0x30, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
        };
        let entries = revoked.iter().map(|(certificate, at)| {
            let x509 = X509::from_der(certificate.der()).expect("a certificate");
            let serial = x509.serial_number().to_bn().expect("a number").to_vec();
            tlv(0x30, &[tlv(0x02, &serial), time(*at)].concat())
        });
        let entries = entries.collect::<Vec<_>>().concat();
        // RFC 5280 §5.2: the key of the authority, and the number of the list, 1.
        let key = self.x509.subject_key_id().expect("an identifier").as_slice();
        let key = tlv(0x30, &[vec![6, 3, 0x55, 0x1d, 0x23], tlv(0x04, &tlv(0x30, &tlv(0x80, key)))].concat());
        let number = tlv(0x30, &[vec![6, 3, 0x55, 0x1d, 0x14], tlv(0x04, &[2, 1, 1])].concat());
        let name = self.x509.subject_name().to_der().expect("DER");
        let mut body = [vec![2, 1, 1], algorithm.to_vec(), name, time(issued), time(next)].concat();
        if !entries.is_empty() {
            body.extend(tlv(0x30, &entries));
        }
        body.extend(tlv(0xa0, &tlv(0x30, &[key, number].concat())));
        let body = tlv(0x30, &body);
        let mut signer = Signer::new(MessageDigest::sha256(), &self.key).expect("a signer");
        let signature = signer.sign_oneshot_to_vec(&body).expect("a signature");
        let bits = tlv(0x03, &[vec![0], signature].concat());
        tlv(0x30, &[body, algorithm.to_vec(), bits].concat())
    }
}

/// The list in PEM.
pub fn list_pem(der: &[u8]) -> Vec<u8> {
    openssl::x509::X509Crl::from_der(der).and_then(|list| list.to_pem()).expect("a revocation list")
}

fn start(subject: &str, key: &PKey<Private>, serial: u32, not_before: i64, not_after: i64) -> X509Builder {
    let mut builder = X509::builder().expect("a builder");
    let serial = BigNum::from_u32(0x1000 + serial).expect("a number");
    builder.set_version(2).expect("version 3");
    builder.set_serial_number(&Asn1Integer::from_bn(&serial).expect("a number")).expect("room");
    builder.set_subject_name(&name_of(subject)).expect("room");
    builder.set_pubkey(key).expect("room");
    builder.set_not_before(&Asn1Time::from_unix(not_before).expect("a time")).expect("room");
    builder.set_not_after(&Asn1Time::from_unix(not_after).expect("a time")).expect("room");
    builder
}

/// Makes it the certificate of an authority, issued by the one of that `name`; without `issuer` by itself.
fn certify(mut builder: X509Builder, issuer: Option<&X509>, name: &X509NameRef, key: &PKey<Private>) -> X509 {
    builder.append_extension(BasicConstraints::new().critical().ca().build().expect("constraints")).expect("room");
    let usage = KeyUsage::new().critical().key_cert_sign().crl_sign().build().expect("a key usage");
    builder.append_extension(usage).expect("room");
    let identifier = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None)).expect("an identifier");
    builder.append_extension(identifier).expect("room");
    sign(builder, issuer, name, key, false)
}

fn sign(mut builder: X509Builder, issuer: Option<&X509>, name: &X509NameRef, key: &PKey<Private>, sha1: bool) -> X509 {
    builder.set_issuer_name(name).expect("room");
    if let Some(issuer) = issuer {
        let mut identifier = AuthorityKeyIdentifier::new();
        let identifier = identifier.keyid(true).build(&builder.x509v3_context(Some(issuer), None));
        builder.append_extension(identifier.expect("an identifier")).expect("room");
    }
    builder.sign(key, if sha1 { MessageDigest::sha1() } else { MessageDigest::sha256() }).expect("signed");
    builder.build()
}

fn name_of(subject: &str) -> X509Name {
    let name = if subject.is_empty() { vec![0x30, 0] } else { dn::encode(subject).expect("a name") };
    X509Name::from_der(&name).expect("a name")
}

/// One element of DER.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let length = match length {
        0..=0x7f => vec![length as u8],
        0x80..=0xff => vec![0x81, length as u8],
        _ => vec![0x82, (length >> 8) as u8, length as u8],
    };
    [vec![tag], length, content.to_vec()].concat()
}

/// UTCTime.
fn time(seconds: i64) -> Vec<u8> {
    let text = crate::certificate::Date(seconds).to_string();
    let digits: String = text.chars().filter(char::is_ascii_digit).skip(2).collect();
    tlv(0x17, format!("{digits}Z").as_bytes())
}
