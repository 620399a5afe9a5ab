use super::*;
use crate::testing::authority::{Authority, KeyKind, Wish};
use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcPoint};
use openssl::rsa::Rsa;
use openssl::symm::Cipher;

fn octets(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16).expect("a digit") as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn public(key: &PKey<Private>) -> Result<PublicKey, KeyError> {
    PublicKey::from_der(&key.public_key_to_der().expect("DER"))
}

fn private(key: &PKey<Private>) -> SigningKey {
    SigningKey::from_file(&key.private_key_to_pem_pkcs8().expect("PEM")).expect("a key")
}

fn rsa(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).expect("a key")).expect("a key")
}

fn ec(curve: Nid) -> PKey<Private> {
    let group = EcGroup::from_curve_name(curve).expect("a curve");
    PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key")
}

/// RFC 4754 §8: the curve, the public key, r and s over "abc".
const RFC_4754: [(Nid, SignatureAlg, [&str; 4]); 3] = [
    (
        Nid::X9_62_PRIME256V1,
        SignatureAlg::Ecdsa256,
        [
            "2442A5CC 0ECD015F A3CA31DC 8E2BBC70 BF42D60C BCA20085 E0822CB0 4235E970",
            "6FC98BD7 E50211A4 A27102FA 3549DF79 EBCB4BF2 46B80945 CDDFE7D5 09BBFD7D",
            "CB28E099 9B9C7715 FD0A80D8 E47A7707 9716CBBF 917DD72E 97566EA1 C066957C",
            "86FA3BB4 E26CAD5B F90B7F81 899256CE 7594BB1E A0C89212 748BFF3B 3D5B0315",
        ],
    ),
    (
        Nid::SECP384R1,
        SignatureAlg::Ecdsa384,
        [
            "96281BF8 DD5E0525 CA049C04 8D345D30 82968D10 FEDF5C5A CA0C64E6 465A97EA
             5CE10C9D FEC21797 41571072 1F437922",
            "447688BA 94708EB6 E2E4D59F 6AB6D7ED FF9301D2 49FE49C3 3096655F 5D502FAD
             3D383B91 C5E7EDAA 2B714CC9 9D5743CA",
            "FB017B91 4E291494 32D8BAC2 9A514640 B46F53DD AB2C6994 8084E293 0F1C8F7E
             08E07C9C 63F2D21A 07DCB56A 6AF56EB3",
            "B263A130 5E057F98 4D38726A 1B468741 09F417BC A112674C 528262A4 0A629AF1
             CBB9F516 CE0FA7D2 FF630863 A00E8B9F",
        ],
    ),
    (
        Nid::SECP521R1,
        SignatureAlg::Ecdsa521,
        [
            "0151518F 1AF0F563 517EDD54 85190DF9 5A4BF57B 5CBA4CF2 A9A3F647 4725A35F
             7AFE0A6D DEB8BEDB CD6A197E 592D4018 8901CECD 650699C9 B5E456AE A5ADD190 52A8",
            "006F3B14 2EA1BFFF 7E2837AD 44C9E4FF 6D2D34C7 3184BBAD 90026DD5 E6E85317
             D9DF45CA D7803C6C 20035B2F 3FF63AFF 4E1BA64D 1C077577 DA3F4286 C58F0AEA E643",
            "0154FD38 36AF92D0 DCA57DD5 341D3053 988534FD E8318FC6 AAAAB68E 2E6F4339
             B19F2F28 1A7E0B22 C269D93C F8794A92 78880ED7 DBB8D936 2CAEACEE 54432055 2251",
            "017705A7 030290D1 CEB605A9 A1BB03FF 9CDD521E 87A696EC 926C8C10 C8362DF4
             97536710 1F67D1CF 9BCCBF2F 3D239534 FA509E70 AAC851AE 01AAC68D 62F86647 2660",
        ],
    ),
];

#[test]
fn the_signatures_of_rfc_4754_are_verified() {
    for (curve, algorithm, [x, y, r, s]) in RFC_4754 {
        let group = EcGroup::from_curve_name(curve).expect("a curve");
        let point = [vec![4], octets(x), octets(y)].concat();
        let mut context = BigNumContext::new().expect("a context");
        let point = EcPoint::from_bytes(&group, &point, &mut context).expect("a point");
        let key = PKey::from_ec_key(EcKey::from_public_key(&group, &point).expect("a key")).expect("a key");
        let key = PublicKey::from_der(&key.public_key_to_der().expect("DER")).expect("a key");
        assert_eq!(key.algorithm(), algorithm);
        let mut signature = [octets(r), octets(s)].concat();
        let hash = |text: &[u8]| algorithm.hash().expect("a hash of its own").digest(&[text]);
        assert!(key.verify(hash(b"abc").as_ref(), &signature), "{algorithm:?}");
        assert!(!key.verify(hash(b"abd").as_ref(), &signature), "{algorithm:?}");
        signature[3] ^= 1;
        assert!(!key.verify(hash(b"abc").as_ref(), &signature), "{algorithm:?}");
    }
}

#[test]
fn an_rsa_signature_is_the_bare_hash_in_block_type_1() {
    let key = rsa(2048);
    let hash = [0x5a; 20];
    let signature = private(&key).sign(&hash).expect("a signature");
    let mut opened = vec![0; 256];
    let rsa = key.rsa().expect("RSA");
    let len = rsa.public_decrypt(&signature, &mut opened, Padding::NONE).expect("opened");
    // RFC 2313 §8.1: 00 01 FF .. FF 00 and the hash, with no identifier.
    let padded = [vec![0, 1], vec![0xff; 256 - 3 - 20], vec![0], hash.to_vec()].concat();
    assert_eq!(opened[..len], padded);
    // As PKCS #1 signs, with the identifier of the hash, it is none in IKE.
    let mut signer = openssl::sign::Signer::new(openssl::hash::MessageDigest::sha1(), &key).expect("a signer");
    let with_identifier = signer.sign_oneshot_to_vec(b"abc").expect("a signature");
    let digest = HashAlg::Sha1.digest(&[b"abc"]);
    assert!(!public(&key).expect("a key").verify(digest.as_ref(), &with_identifier));
}

#[test]
fn what_is_signed_is_verified_and_nothing_else() {
    let kinds = [rsa(2048), rsa(1024), ec(Nid::X9_62_PRIME256V1), ec(Nid::SECP384R1), ec(Nid::SECP521R1)];
    for key in &kinds {
        let public = public(key).expect("a key");
        for len in [16, 20, 32, 64] {
            let hash = vec![len as u8; len];
            let signature = private(key).sign(&hash).expect("a signature");
            assert!(public.verify(&hash, &signature), "{public:?}");
            for at in [0, signature.len() / 2, signature.len() - 1] {
                let mut changed = signature.clone();
                changed[at] ^= 0x10;
                assert!(!public.verify(&hash, &changed), "{public:?}, octet {at}");
            }
            let mut other = hash.clone();
            other[0] ^= 1;
            assert!(!public.verify(&other, &signature));
            assert!(!public.verify(&hash, &signature[1..]));
            assert!(!public.verify(&hash, &[signature.as_slice(), &[0]].concat()));
            assert!(!public.verify(&hash, &[]));
            assert!(!public.verify(&hash, &vec![0; signature.len()]));
        }
    }
}

#[test]
fn the_length_of_an_ecdsa_signature_is_that_of_the_curve() {
    for (curve, len) in [(Nid::X9_62_PRIME256V1, 64), (Nid::SECP384R1, 96), (Nid::SECP521R1, 132)] {
        let key = private(&ec(curve));
        for round in 0..20 {
            assert_eq!(key.sign(&[round; 20]).expect("a signature").len(), len);
        }
    }
}

#[test]
fn private_keys_come_in_three_forms_of_pem_and_in_der() {
    let (rsa, ec) = (rsa(2048), ec(Nid::SECP384R1));
    let forms = [
        rsa.private_key_to_pem_pkcs8(),
        rsa.private_key_to_der(),
        rsa.rsa().and_then(|rsa| rsa.private_key_to_pem()),
        ec.private_key_to_pem_pkcs8(),
        ec.private_key_to_der(),
        ec.ec_key().and_then(|ec| ec.private_key_to_pem()),
    ];
    for (index, form) in forms.into_iter().enumerate() {
        let key = SigningKey::from_file(&form.expect("encoded")).expect("a key");
        let other = if index < 3 { &rsa } else { &ec };
        key.check(&public(other).expect("a key")).expect("its own public key");
        let stranger = if index < 3 { &ec } else { &rsa };
        assert_eq!(key.check(&public(stranger).expect("a key")), Err(KeyError::Mismatch));
    }
    let encrypted = rsa.private_key_to_pem_pkcs8_passphrase(Cipher::aes_128_cbc(), b"secret").expect("encrypted");
    for nothing in [encrypted.as_slice(), b"", b"-----BEGIN", &rsa.public_key_to_pem().expect("PEM")] {
        assert_eq!(SigningKey::from_file(nothing).err(), Some(KeyError::NoKey));
    }
}

#[test]
fn keys_of_other_kinds_and_sizes_are_refused() {
    assert_eq!(public(&rsa(768)).err(), Some(KeyError::Size { bits: 768 }));
    assert_eq!(public(&ec(Nid::SECP256K1)).err(), Some(KeyError::Kind));
    assert_eq!(public(&PKey::generate_ed25519().expect("a key")).err(), Some(KeyError::Kind));
    let told = KeyError::Size { bits: 768 }.to_string();
    assert_eq!(told, "the RSA key has 768 bits, allowed are 1024 to 8192 with an exponent of at most 64");
    let mut authority = Authority::root("CN=ca", KeyKind::P256, 1_700_000_000);
    let issued = authority.issue(&Wish::new("CN=a", &[], KeyKind::P384, 1_700_000_000));
    assert_eq!(issued.certificate.key().algorithm(), SignatureAlg::Ecdsa384);
    assert_eq!(issued.certificate.key().bits(), 384);
}
