//! Dates and times of day: of an instant, and back.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds of a day.
const DAY: i64 = 86_400;

/// The date of a day that is so many days after 1970-01-01, by the Gregorian calendar, whose years begin in March for the
/// sake of the leap day.
pub(crate) fn date(days: u64) -> (u16, u8, u8) {
    let days = days + 719_468;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + days / 146_097 * 400 + u64::from(month <= 2);
    let part = |value: u64| u8::try_from(value).unwrap_or_default();
    (u16::try_from(year).unwrap_or(u16::MAX), part(month), part(day))
}

/// How many days a date is after 1970-01-01; `None` if there is no such date, or it is earlier.
fn days(year: u16, month: u8, day: u8) -> Option<u64> {
    let (of_march, in_march) = if month > 2 { (0, month - 3) } else { (1, month.checked_add(9)?) };
    let year_in_march = u64::from(year).checked_sub(of_march)?;
    let of_year = (153 * u64::from(in_march) + 2) / 5 + u64::from(day.checked_sub(1)?);
    let leap_days = year_in_march / 4 - year_in_march / 100 + year_in_march / 400;
    let found = (365 * year_in_march + leap_days + of_year).checked_sub(719_468)?;
    (date(found) == (year, month, day)).then_some(found)
}

/// Milliseconds since 1970-01-01 in UTC.
fn milliseconds(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// `2026-11-28T08:15:00.123Z` (RFC 3339).
pub(crate) fn rfc3339(at: SystemTime) -> String {
    let milliseconds = milliseconds(at);
    let (seconds, fraction) = (milliseconds / 1000, milliseconds % 1000);
    format!("{}.{fraction:03}Z", written(seconds, 'T'))
}

/// `2026-11-28 08:15:00` as the clocks of this place show it.
pub(crate) fn local(at: SystemTime) -> String {
    let seconds = milliseconds(at) / 1000;
    let shifted = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_add(local_offset(seconds));
    written(u64::try_from(shifted).unwrap_or_default(), ' ')
}

fn written(seconds: u64, between: char) -> String {
    let (year, month, day) = date(seconds / 86_400);
    let of_day = seconds % 86_400;
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}{between}{hour:02}:{minute:02}:{second:02}")
}

/// Seconds that the clocks of this place are ahead of UTC then.
fn local_offset(seconds: u64) -> i64 {
    let Some(local) = i64::try_from(seconds).ok().and_then(ikedaemon::sys::local_time) else { return 0 };
    let (_, _, today) = date(seconds / 86_400);
    let (_, _, tomorrow) = date(seconds / 86_400 + 1);
    let days = if local.day == today {
        0
    } else if local.day == tomorrow {
        1
    } else {
        -1
    };
    let clock = i64::from(local.hour) * 3600 + i64::from(local.minute) * 60 + i64::from(local.second);
    days * DAY + clock - i64::try_from(seconds % 86_400).unwrap_or_default()
}

/// Forms in which a time is read.
pub(crate) const FORMS: &str = "a time of this place (2026-11-28 08:15, 2026-11-28, 08:15), one with its distance from UTC \
                                (2026-11-28T08:15:00Z, ...+01:00), or how long ago (90s, 15m, 2h, 7d)";

/// Reads a time that people write; `now` is what the rest of it goes by.
pub(crate) fn parse(text: &str, now: SystemTime) -> Option<SystemTime> {
    let text = text.trim();
    if let Some(ago) = duration(text) {
        return now.checked_sub(ago);
    }
    let (day, time) = match text.split_once(['T', ' ']) {
        Some((day, time)) => (Some(day), Some(time)),
        None if text.contains(':') => (None, Some(text)),
        None => (Some(text), None),
    };
    let day = match day {
        Some(text) => {
            let mut parts = text.splitn(3, '-');
            days(digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?)?
        }
        None => {
            let seconds = milliseconds(now) / 1000;
            let shifted = i64::try_from(seconds).ok()?.checked_add(local_offset(seconds))?;
            u64::try_from(shifted).ok()? / 86_400
        }
    };
    let (clock, offset) = time.map_or(Some((Duration::ZERO, None)), with_offset)?;
    let shown = i64::try_from(day).ok()?.checked_mul(DAY)?.checked_add(i64::try_from(clock.as_secs()).ok()?)?;
    let offset = match offset {
        Some(offset) => offset,
        // That of the instant itself, which is known only by it.
        None => local_offset(u64::try_from(shown.checked_sub(local_offset(u64::try_from(shown).ok()?))?).ok()?),
    };
    let seconds = u64::try_from(shown.checked_sub(offset)?).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds) + Duration::from_nanos(clock.subsec_nanos().into()))
}

/// `15m`.
fn duration(text: &str) -> Option<Duration> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let count: u64 = text.get(..text.len() - 1)?.parse().ok()?;
    Some(Duration::from_secs(count.checked_mul(unit)?))
}

/// `08:15`, `08:15:00`, `08:15:00.123`, and what may stand behind: `Z`, `+01:00`.
fn with_offset(text: &str) -> Option<(Duration, Option<i64>)> {
    let (clock, offset) = match text.find(['Z', 'z', '+', '-']) {
        None => (text, None),
        Some(at) => {
            let (clock, offset) = text.split_at(at);
            let sign = if offset.starts_with('-') { -1 } else { 1 };
            let offset = match offset.get(1..)? {
                "" if offset.eq_ignore_ascii_case("z") => 0,
                rest => {
                    let (hours, minutes) = rest.split_once(':')?;
                    sign * (i64::from(digits::<u8>(hours, 2)?) * 3600 + i64::from(digits::<u8>(minutes, 2)?) * 60)
                }
            };
            (clock, Some(offset))
        }
    };
    let mut parts = clock.splitn(3, ':');
    let (hour, minute) = (digits::<u8>(parts.next()?, 2)?, digits::<u8>(parts.next()?, 2)?);
    let (second, fraction) = match parts.next() {
        None => (0, 0),
        Some(text) => {
            let (second, fraction) = text.split_once('.').unwrap_or((text, "0"));
            let nanoseconds = format!("{fraction:0<9}");
            (digits::<u8>(second, 2)?, nanoseconds.get(..9)?.parse().ok()?)
        }
    };
    let is_clock = hour < 24 && minute < 60 && second < 61;
    let seconds = u64::from(hour) * 3600 + u64::from(minute) * 60 + u64::from(second);
    is_clock.then(|| (Duration::new(seconds, fraction), offset))
}

/// A number of at most so many digits, and no sign.
fn digits<T: std::str::FromStr>(text: &str, most: usize) -> Option<T> {
    let is_number = (1..=most).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn every_day_has_its_date_and_back() {
        for (day, expected) in
            [(0, (1970, 1, 1)), (59, (1970, 3, 1)), (11_016, (2000, 2, 29)), (20_785, (2026, 11, 28))]
        {
            assert_eq!(date(day), expected);
        }
        for day in 0..60_000 {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), Some(day));
        }
        for wrong in [(2026, 2, 29), (2026, 0, 1), (2026, 13, 1), (2026, 1, 0), (1969, 12, 31)] {
            assert_eq!(days(wrong.0, wrong.1, wrong.2), None, "{wrong:?}");
        }
    }

    #[test]
    fn times_are_written_and_read() {
        let instant = at(1_795_853_700) + Duration::from_millis(123);
        assert_eq!(rfc3339(instant), "2026-11-28T08:15:00.123Z");
        assert_eq!(parse("2026-11-28T08:15:00.123Z", at(0)), Some(instant));
        assert_eq!(parse("2026-11-28T09:45:00+01:30", at(0)), Some(at(1_795_853_700)));
        assert_eq!(parse("2026-11-28 07:15-01:00", at(0)), Some(at(1_795_853_700)));
        // What is shown is read as the same.
        for seconds in [1_795_853_700, 1_750_000_000, 86_400 * 200] {
            assert_eq!(parse(&local(at(seconds)), at(0)), Some(at(seconds)));
        }
        let now = at(1_795_853_700);
        assert_eq!(parse("15m", now), Some(at(1_795_852_800)));
        assert_eq!(parse("2d", now), Some(at(1_795_680_900)));
        let (day, clock) = (local(now)[..10].to_owned(), local(now)[11..16].to_owned());
        assert_eq!(parse(&clock, now), Some(now));
        assert_eq!(parse(&day, now), parse(&format!("{day} 00:00:00"), now));
        for wrong in ["", "x", "2026", "2026-02-30", "25:00", "08:60", "2026-11-28T", "-5m", "5w", "+1:00", "08:15+1"] {
            assert_eq!(parse(wrong, now), None, "{wrong:?}");
        }
    }
}
