//! How this driver knows its own in the kernel: numbers that say so.
//!
//! - The reqid of SAs and templates is `0x5041` ("PA") in the high half, the rule's number in the low half. So a daemon
//!   that finds SAs and policies with such numbers at its start knows that an earlier run left them, and others'
//!   reqids (people and other daemons count from 1) never meet ours.
//! - Policies that permit or block have no template, hence no reqid. Every policy therefore carries an index of ours, too:
//!   the ten high bits of the mark, a count, and in the three low bits the direction, as kernels want it. A kernel that
//!   finds the index taken chooses another; it does not matter while the daemon runs, for policies are deleted by
//!   their selectors.
use netlink_packet_xfrm::XFRM_POLICY_MASK;

const MARK: u32 = 0x5041_0000;
const INDEX_MARK: u32 = 0x5040_0000;
const INDEX_BITS: u32 = 22;

/// The reqid for the rule with this number.
pub(super) fn reqid(rule: u32) -> Result<u32, String> {
    if rule > 0xffff { Err(format!("rule number {rule} is too great, allowed: 0 to 65535")) } else { Ok(MARK | rule) }
}

/// The rule's number in a reqid of this driver.
pub(super) const fn rule(reqid: u32) -> Option<u32> {
    if reqid & 0xffff_0000 == MARK { Some(reqid & 0xffff) } else { None }
}

/// The index of the policy number `count` for a direction of `linux/xfrm.h`.
pub(super) fn index(count: u32, direction: u8) -> u32 {
    INDEX_MARK | (count << 3 & ((1 << INDEX_BITS) - 1)) | u32::from(direction & XFRM_POLICY_MASK)
}

/// True if a policy with this index is one of this driver.
pub(super) const fn is_own_index(index: u32) -> bool {
    index >> INDEX_BITS == INDEX_MARK >> INDEX_BITS
}

#[cfg(test)]
mod tests {
    use super::{index, is_own_index, reqid, rule};

    #[test]
    fn reqids_carry_the_rule() {
        for number in [0, 1, 0xffff] {
            assert_eq!(reqid(number).ok().and_then(rule), Some(number));
        }
        assert_eq!(reqid(5), Ok(0x5041_0005));
        assert!(reqid(0x1_0000).is_err());
        assert_eq!((rule(1), rule(0x5042_0001)), (None, None));
    }

    #[test]
    fn indices_carry_mark_and_direction() {
        for count in [0, 1, 0x7_ffff, 0x8_0000, u32::MAX] {
            for direction in 0..3 {
                let index = index(count, direction);
                assert!(is_own_index(index), "{index:x}");
                assert_eq!(index & 7, u32::from(direction));
            }
        }
        assert_ne!(index(1, 0), index(2, 0));
        assert!(!is_own_index(8) && !is_own_index(0x5080_0000) && !is_own_index(0x503f_fff8));
    }
}
