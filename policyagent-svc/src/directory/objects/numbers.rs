//! The numbers of algorithms and GUIDs in objects, and what documents call them.
use crate::directory::blob::isakmp::GROUP_2048;
use crate::guid::Guid;

/// Filter actions for rules.
pub(super) const STANDARD: Guid = of_type(0x10);
/// Those of the default response.
pub(super) const DEFAULT_RESPONSE: Guid = of_type(0x13);

/// Drop.
pub(super) const BLOCK: Guid = Guid::new(0x3f91_a819, 0x7647, 0x11d1, [0x86, 0x4d, 0xd4, 0x6a, 0, 0, 0, 0]);
/// Pass in clear.
pub(super) const PERMIT: Guid = Guid::new(0x8a17_1dd2, 0x77e3, 0x11d1, [0x86, 0x59, 0xa0, 0x4f, 0, 0, 0, 0]);
/// Protect.
pub(super) const NEGOTIATE: Guid = Guid::new(0x8a17_1dd3, 0x77e3, 0x11d1, [0x86, 0x59, 0xa0, 0x4f, 0, 0, 0, 0]);
/// Protect, and take what comes in clear.
pub(super) const PASSTHROUGH: Guid = Guid::new(0x3f91_a81a, 0x7647, 0x11d1, [0x86, 0x4d, 0xd4, 0x6a, 0, 0, 0, 0]);

const fn of_type(number: u32) -> Guid {
    Guid::new(0x62f4_9e00 | number, 0x6c37, 0x11d1, [0x86, 0x4c, 0x14, 0xa3, 0, 0, 0, 0])
}

/// The ciphers of main mode: what is read, and of several numbers the first written.
pub(super) const CIPHERS: [(u32, &str); 3] = [(1, "des"), (3, "3des"), (2, "3des")];
/// The hashes of main mode, and the integrity algorithms of AH and ESP.
pub(super) const HASHES: [(u32, &str); 2] = [(1, "md5"), (2, "sha1")];
/// The groups of main mode.
pub(super) const GROUPS: [(u32, &str); 3] = [(1, "modp768"), (2, "modp1024"), (GROUP_2048, "modp2048")];
/// Offers with 2048 bits that stand before all others.
pub(super) const NEW_GROUPS: [(u32, &str); 4] =
    [(1, "des-md5-modp2048"), (2, "des-sha1-modp2048"), (3, "3des-md5-modp2048"), (4, "3des-sha1-modp2048")];
/// The ciphers of ESP, as the policies have them that every domain begins with. What is published of them (1 null, 2 DES)
/// differs: 1 cannot be read as both, 2 can be read so.
pub(super) const ESP_CIPHERS: [(u32, &str); 4] = [(0, "null"), (1, "des"), (3, "3des"), (2, "des")];

/// What a number is called.
pub(super) fn name(table: &[(u32, &'static str)], number: u32) -> Option<&'static str> {
    table.iter().find(|(n, _)| *n == number).map(|(_, name)| *name)
}

/// The number of what is called so.
pub(super) fn number(table: &[(u32, &'static str)], name: &str) -> Option<u32> {
    table.iter().find(|(_, n)| *n == name).map(|(number, _)| *number)
}
