//! Codes of IKE's own SA: attributes and their values (RFC 2409 Appendix A and the registry that grew from it).

code! {
    /// An attribute of an ISAKMP transform (RFC 2409 Appendix A; 16384 of draft-ietf-ipsec-isakmp-gss-auth).
    IkeAttribute(u16) {
        ENCRYPTION_ALGORITHM = 1 "Encryption Algorithm",
        HASH_ALGORITHM = 2 "Hash Algorithm",
        AUTHENTICATION_METHOD = 3 "Authentication Method",
        GROUP_DESCRIPTION = 4 "Group Description",
        GROUP_TYPE = 5 "Group Type",
        GROUP_PRIME = 6 "Group Prime/Irreducible Polynomial",
        GROUP_GENERATOR_ONE = 7 "Group Generator One",
        GROUP_GENERATOR_TWO = 8 "Group Generator Two",
        GROUP_CURVE_A = 9 "Group Curve A",
        GROUP_CURVE_B = 10 "Group Curve B",
        LIFE_TYPE = 11 "Life Type",
        LIFE_DURATION = 12 "Life Duration",
        PRF = 13 "PRF",
        KEY_LENGTH = 14 "Key Length",
        FIELD_SIZE = 15 "Field Size",
        GROUP_ORDER = 16 "Group Order",
        GSS_IDENTITY = 16384 "GSS Identity Name",
    }
}

code! {
    /// A cipher of the ISAKMP SA (RFC 2409 Appendix A).
    EncryptionAlgorithm(u16) {
        DES_CBC = 1 "DES-CBC",
        IDEA_CBC = 2 "IDEA-CBC",
        BLOWFISH_CBC = 3 "Blowfish-CBC",
        RC5_R16_B64_CBC = 4 "RC5-R16-B64-CBC",
        TRIPLE_DES_CBC = 5 "3DES-CBC",
        CAST_CBC = 6 "CAST-CBC",
        AES_CBC = 7 "AES-CBC",
        CAMELLIA_CBC = 8 "Camellia-CBC",
    }
}

code! {
    /// A hash of the ISAKMP SA; its HMAC is the prf (RFC 2409 Appendix A, RFC 4868 §4).
    HashAlgorithm(u16) {
        MD5 = 1 "MD5",
        SHA = 2 "SHA",
        TIGER = 3 "Tiger",
        SHA2_256 = 4 "SHA2-256",
        SHA2_384 = 5 "SHA2-384",
        SHA2_512 = 6 "SHA2-512",
    }
}

code! {
    /// How the peers prove who they are (RFC 2409 Appendix A, RFC 4754 §4, draft-beaulieu-ike-xauth-02 §7.2,
    /// draft-ietf-ipsec-isakmp-hybrid-auth-05 §3.2.1).
    AuthenticationMethod(u16) {
        PRE_SHARED_KEY = 1 "pre-shared key",
        DSS_SIGNATURES = 2 "DSS signatures",
        RSA_SIGNATURES = 3 "RSA signatures",
        RSA_ENCRYPTION = 4 "encryption with RSA",
        REVISED_RSA_ENCRYPTION = 5 "revised encryption with RSA",
        ELGAMAL_ENCRYPTION = 6 "encryption with ElGamal",
        REVISED_ELGAMAL_ENCRYPTION = 7 "revised encryption with ElGamal",
        ECDSA_SIGNATURES = 8 "ECDSA signatures",
        ECDSA_SHA256_P256 = 9 "ECDSA with SHA-256 on P-256",
        ECDSA_SHA384_P384 = 10 "ECDSA with SHA-384 on P-384",
        ECDSA_SHA512_P521 = 11 "ECDSA with SHA-512 on P-521",
        HYBRID_INIT_RSA = 64221 "HybridInitRSA",
        HYBRID_RESP_RSA = 64222 "HybridRespRSA",
        HYBRID_INIT_DSS = 64223 "HybridInitDSS",
        HYBRID_RESP_DSS = 64224 "HybridRespDSS",
        XAUTH_INIT_PRE_SHARED = 65001 "XAUTHInitPreShared or GSS-API",
        XAUTH_RESP_PRE_SHARED = 65002 "XAUTHRespPreShared",
        XAUTH_INIT_DSS = 65003 "XAUTHInitDSS",
        XAUTH_RESP_DSS = 65004 "XAUTHRespDSS",
        XAUTH_INIT_RSA = 65005 "XAUTHInitRSA",
        XAUTH_RESP_RSA = 65006 "XAUTHRespRSA",
        XAUTH_INIT_RSA_ENCRYPTION = 65007 "XAUTHInitRSAEncryption",
        XAUTH_RESP_RSA_ENCRYPTION = 65008 "XAUTHRespRSAEncryption",
        XAUTH_INIT_REVISED_RSA_ENCRYPTION = 65009 "XAUTHInitRSARevisedEncryption",
        XAUTH_RESP_REVISED_RSA_ENCRYPTION = 65010 "XAUTHRespRSARevisedEncryption",
    }
}

impl AuthenticationMethod {
    /// Kerberos by GSS-API. It shares its private number with [`Self::XAUTH_INIT_PRE_SHARED`]; a vendor ID decides.
    pub const GSS_API: Self = Self(65001);

    /// True if the keys come of a pre-shared key, with extended authentication or without.
    pub const fn is_pre_shared_key(self) -> bool {
        matches!(self, Self::PRE_SHARED_KEY | Self::XAUTH_INIT_PRE_SHARED | Self::XAUTH_RESP_PRE_SHARED)
    }
}

code! {
    /// A Diffie-Hellman group (RFC 2409 §6, RFC 3526, RFC 5114, RFC 5903, RFC 6954).
    GroupDescription(u16) {
        MODP_768 = 1 "modp768",
        MODP_1024 = 2 "modp1024",
        EC2N_155 = 3 "ec2n155",
        EC2N_185 = 4 "ec2n185",
        MODP_1536 = 5 "modp1536",
        MODP_2048 = 14 "modp2048",
        MODP_3072 = 15 "modp3072",
        MODP_4096 = 16 "modp4096",
        MODP_6144 = 17 "modp6144",
        MODP_8192 = 18 "modp8192",
        ECP_256 = 19 "ecp256",
        ECP_384 = 20 "ecp384",
        ECP_521 = 21 "ecp521",
        MODP_1024_160 = 22 "modp1024s160",
        MODP_2048_224 = 23 "modp2048s224",
        MODP_2048_256 = 24 "modp2048s256",
        ECP_192 = 25 "ecp192",
        ECP_224 = 26 "ecp224",
        BRAINPOOL_224 = 27 "brainpoolP224r1",
        BRAINPOOL_256 = 28 "brainpoolP256r1",
        BRAINPOOL_384 = 29 "brainpoolP384r1",
        BRAINPOOL_512 = 30 "brainpoolP512r1",
    }
}

code! {
    /// The kind of a privately negotiated group (RFC 2409 Appendix A).
    GroupType(u16) {
        MODP = 1 "MODP",
        ECP = 2 "ECP",
        EC2N = 3 "EC2N",
    }
}

code! {
    /// The unit of a life duration: the same numbers in IKE (RFC 2409 Appendix A) and in IPsec (RFC 2407 §4.5).
    LifeType(u16) {
        SECONDS = 1 "seconds",
        KILOBYTES = 2 "kilobytes",
    }
}
