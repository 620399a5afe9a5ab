//! The only `unsafe` code of the workspace: system calls that no maintained crate wraps. Each block says why it is sound.
#![allow(unsafe_code, reason = "this is the one module where it is allowed")]

/// An instant as the clocks of this place show it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LocalTime {
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60.
    pub second: u8,
}

/// The local time `seconds` after 1970-01-01 00:00:00 UTC, by the variable `TZ` or the zone of the system; `None` for
/// a year that the C library cannot hold. The `time` crate refuses this in a process with several threads, because
/// one of them might change the environment; none of this daemon does.
pub fn local_time(seconds: i64) -> Option<LocalTime> {
    let mut broken = std::mem::MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both pointers are valid for the call, and the result is written to before it is read: localtime_r fills
    // the whole structure unless it returns null.
    let broken = unsafe {
        if libc::localtime_r(&raw const seconds, broken.as_mut_ptr()).is_null() {
            return None;
        }
        broken.assume_init()
    };
    let small = |value: libc::c_int| u8::try_from(value).ok();
    Some(LocalTime {
        month: small(broken.tm_mon)?.checked_add(1)?,
        day: small(broken.tm_mday)?,
        hour: small(broken.tm_hour)?,
        minute: small(broken.tm_min)?,
        second: small(broken.tm_sec)?,
    })
}
