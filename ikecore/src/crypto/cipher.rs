//! The CBC ciphers of ISAKMP messages and of ESP (RFC 2409 §4, RFC 2405, RFC 2451, RFC 3602, RFC 4312).
use core::fmt;

use openssl::cipher::{Cipher, CipherRef};
use openssl::cipher_ctx::{CipherCtx, CipherCtxRef};
use openssl::error::ErrorStack;
use zeroize::Zeroizing;

use super::error::CryptoError;

#[cfg(test)]
mod tests;

/// A block cipher in CBC mode with a key of fixed length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CipherAlg {
    /// DES-CBC (RFC 2405), 8 octets of key with parity bits that nobody checks.
    Des,
    /// 3DES-CBC in EDE order with three keys (RFC 2451), 24 octets.
    TripleDes,
    /// AES-CBC (RFC 3602) with 16 octets of key.
    Aes128,
    /// AES-CBC (RFC 3602) with 24 octets of key.
    Aes192,
    /// AES-CBC (RFC 3602) with 32 octets of key.
    Aes256,
    /// Camellia-CBC (RFC 4312) with 16 octets of key.
    Camellia128,
    /// Camellia-CBC (RFC 4312) with 24 octets of key.
    Camellia192,
    /// Camellia-CBC (RFC 4312) with 32 octets of key.
    Camellia256,
}

/// The length of a DES key and of a DES block in octets.
const DES_LEN: usize = 8;

/// The block length of AES and Camellia in octets, the longest of all ciphers here.
const LONG_BLOCK: usize = 16;

/// The weak keys of DES in odd parity, then its semi-weak keys in pairs, each of which decrypts what the other encrypts
/// (FIPS 74), then two that RFC 2409 Appendix A lists as weak. These are slips of the pen for the second pair here, and
/// not weak; but a peer may refuse them.
const DES_WEAK_KEYS: [u64; 18] = [
    0x0101_0101_0101_0101,
    0xfefe_fefe_fefe_fefe,
    0x1f1f_1f1f_0e0e_0e0e,
    0xe0e0_e0e0_f1f1_f1f1,
    0x01fe_01fe_01fe_01fe,
    0xfe01_fe01_fe01_fe01,
    0x1fe0_1fe0_0ef1_0ef1,
    0xe01f_e01f_f10e_f10e,
    0x01e0_01e0_01f1_01f1,
    0xe001_e001_f101_f101,
    0x1ffe_1ffe_0efe_0efe,
    0xfe1f_fe1f_fe0e_fe0e,
    0x011f_011f_010e_010e,
    0x1f01_1f01_0e01_0e01,
    0xe0fe_e0fe_f1fe_f1fe,
    0xfee0_fee0_fef1_fef1,
    0x1f1f_1f1f_e0e0_e0e0,
    0xe0e0_e0e0_1f1f_1f1f,
];

impl CipherAlg {
    /// Every cipher.
    pub const ALL: [Self; 8] = [
        Self::Des,
        Self::TripleDes,
        Self::Aes128,
        Self::Aes192,
        Self::Aes256,
        Self::Camellia128,
        Self::Camellia192,
        Self::Camellia256,
    ];

    /// The length of a block and of the initialization vector, in octets.
    pub const fn block_len(self) -> usize {
        match self {
            Self::Des | Self::TripleDes => DES_LEN,
            _ => LONG_BLOCK,
        }
    }

    /// The length of a key in octets.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Des => DES_LEN,
            Self::TripleDes => 3 * DES_LEN,
            Self::Aes128 | Self::Camellia128 => 16,
            Self::Aes192 | Self::Camellia192 => 24,
            Self::Aes256 | Self::Camellia256 => 32,
        }
    }

    /// True if this host's libcrypto offers the cipher: such as are confined to FIPS algorithms have no Camellia.
    pub fn is_available(self) -> bool {
        let key = [0; 32];
        key.get(..self.key_len()).is_some_and(|key| CipherKey::new(self, key).is_ok())
    }

    /// The name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Des => "DES-CBC",
            Self::TripleDes => "3DES-CBC",
            Self::Aes128 => "AES-CBC-128",
            Self::Aes192 => "AES-CBC-192",
            Self::Aes256 => "AES-CBC-256",
            Self::Camellia128 => "Camellia-CBC-128",
            Self::Camellia192 => "Camellia-CBC-192",
            Self::Camellia256 => "Camellia-CBC-256",
        }
    }

    /// Refuses key octets that must not be used: those of the wrong length, the weak and semi-weak keys of DES
    /// (RFC 2409 §4 and Appendix A), and keys of 3DES that make it DES (RFC 2451 §2.3). To be called where keys are
    /// made; whoever finds such a key negotiates another one.
    pub fn check_key(self, key: &[u8]) -> Result<(), CryptoError> {
        if key.len() != self.key_len() {
            return Err(CryptoError::KeyLength {
                algorithm: self.name(),
                got: key.len(),
                allowed: vec![self.key_len()],
            });
        }
        let (keys, _) = key.as_chunks::<DES_LEN>();
        // The lowest bit of every octet is parity, which DES does not use: two keys that differ in it are one.
        let same = |a: u64, b: u64| (a ^ b) & 0xfefe_fefe_fefe_fefe == 0;
        let number = |key: &[u8; DES_LEN]| u64::from_be_bytes(*key);
        let weak = match self {
            Self::Des => keys.iter().any(|key| DES_WEAK_KEYS.iter().any(|weak| same(number(key), *weak))),
            // RFC 2451 §2.3: reject k1 == k2 and k2 == k3.
            Self::TripleDes => keys.windows(2).any(|pair| matches!(pair, [a, b] if same(number(a), number(b)))),
            _ => false,
        };
        if weak { Err(CryptoError::WeakKey { algorithm: self.name() }) } else { Ok(()) }
    }

    /// libcrypto's cipher. DES is 3DES with three equal keys: OpenSSL 3 keeps DES itself in the legacy provider, which
    /// no distribution loads by default.
    fn library(self) -> &'static CipherRef {
        match self {
            Self::Des | Self::TripleDes => Cipher::des_ede3_cbc(),
            Self::Aes128 => Cipher::aes_128_cbc(),
            Self::Aes192 => Cipher::aes_192_cbc(),
            Self::Aes256 => Cipher::aes_256_cbc(),
            Self::Camellia128 => Cipher::camellia128_cbc(),
            Self::Camellia192 => Cipher::camellia192_cbc(),
            Self::Camellia256 => Cipher::camellia256_cbc(),
        }
    }
}

impl fmt::Display for CipherAlg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A key of a cipher, prepared for both directions: the key schedules are computed once, not once a message.
///
/// libcrypto zeroizes the schedules on drop.
pub struct CipherKey {
    alg: CipherAlg,
    encrypt: CipherCtx,
    decrypt: CipherCtx,
}

impl CipherKey {
    /// Prepares `key`, which must be [`CipherAlg::key_len`] octets. Does not refuse weak keys: that is
    /// [`CipherAlg::check_key`], where keys are made.
    pub fn new(alg: CipherAlg, key: &[u8]) -> Result<Self, CryptoError> {
        if key.len() != alg.key_len() {
            return Err(CryptoError::KeyLength { algorithm: alg.name(), got: key.len(), allowed: vec![alg.key_len()] });
        }
        let thrice;
        let key = if alg == CipherAlg::Des {
            thrice = Zeroizing::new(key.repeat(3));
            &thrice
        } else {
            key
        };
        let prepare = || -> Result<_, ErrorStack> {
            let mut encrypt = CipherCtx::new()?;
            encrypt.encrypt_init(Some(alg.library()), Some(key), None)?;
            encrypt.set_padding(false);
            let mut decrypt = CipherCtx::new()?;
            decrypt.decrypt_init(Some(alg.library()), Some(key), None)?;
            decrypt.set_padding(false);
            Ok(Self { alg, encrypt, decrypt })
        };
        prepare().map_err(|stack| CryptoError::library(alg.name(), &stack))
    }

    /// The algorithm.
    pub const fn alg(&self) -> CipherAlg {
        self.alg
    }

    /// Encrypts `data`, whole blocks, in place. `iv` is one block.
    pub fn encrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError> {
        self.run(iv, data, |ctx, iv| {
            ctx.copy(&self.encrypt)?;
            ctx.encrypt_init(None, None, Some(iv))
        })
    }

    /// Decrypts `data`, whole blocks, in place. `iv` is one block.
    pub fn decrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError> {
        self.run(iv, data, |ctx, iv| {
            ctx.copy(&self.decrypt)?;
            ctx.decrypt_init(None, None, Some(iv))
        })
    }

    fn run(
        &self,
        iv: &[u8],
        data: &mut [u8],
        init: impl FnOnce(&mut CipherCtxRef, &[u8]) -> Result<(), ErrorStack>,
    ) -> Result<(), CryptoError> {
        let (algorithm, block) = (self.alg.name(), self.alg.block_len());
        if iv.len() != block {
            return Err(CryptoError::IvLength { algorithm, got: iv.len(), allowed: block });
        }
        if !data.len().is_multiple_of(block) {
            return Err(CryptoError::PartialBlock { algorithm, got: data.len(), block });
        }
        if i32::try_from(data.len()).is_err() {
            return Err(CryptoError::TooLong { algorithm, got: data.len() });
        }
        let Some(last) = data.len().checked_sub(block) else {
            return Ok(());
        };
        let update = || -> Result<(), ErrorStack> {
            let mut ctx = CipherCtx::new()?;
            init(&mut ctx, iv)?;
            // The wrapper wants room for one block more than there is: the last block goes through a buffer.
            ctx.cipher_update_inplace(data, last)?;
            let Some(tail) = data.get_mut(last..) else { return Ok(()) };
            let mut room = Zeroizing::new([0; 2 * LONG_BLOCK]);
            ctx.cipher_update(tail, Some(&mut *room))?;
            tail.iter_mut().zip(room.iter()).for_each(|(to, from)| *to = *from);
            Ok(())
        };
        update().map_err(|stack| CryptoError::library(algorithm, &stack))
    }
}

impl fmt::Debug for CipherKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <secret>", self.alg)
    }
}
