//! Times of day for people and machines, in UTC, without a time zone database.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds of a day.
const DAY: u64 = 24 * 60 * 60 * 1000;

/// A time as RFC 3339 writes it, in microseconds: `2026-11-26T16:44:03.123456Z`.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let milliseconds = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    let (year, month, day) = date(milliseconds / DAY);
    let micros = since.subsec_micros() % 1000;
    format!("{year:04}-{month:02}-{day:02}T{}{micros:03}Z", of_day(milliseconds % DAY))
}

/// Reads what [`rfc3339`] writes, as the time since 1970; with fewer or more digits of a second, too.
pub(crate) fn parse_rfc3339(text: &str) -> Option<Duration> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let number = |text: &str, length: usize| {
        let digits = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u64>().ok()).flatten()
    };
    let mut date = date.split('-');
    let (year, month, day) = (number(date.next()?, 4)?, number(date.next()?, 2)?, number(date.next()?, 2)?);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut time = time.split(':');
    let (hour, minute, second) = (number(time.next()?, 2)?, number(time.next()?, 2)?, number(time.next()?, 2)?);
    let good = (1970..).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61
        && date.next().is_none()
        && time.next().is_none();
    if !good || fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let nanoseconds = number(fraction, fraction.len())? * 10_u64.pow(9 - u32::try_from(fraction.len()).ok()?);
    let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Some(Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds))
}

/// The time of day of that, for a terminal: `16:44:03.123`.
pub(crate) fn time_of_day(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    of_day(u64::try_from(since.as_millis()).unwrap_or(u64::MAX) % DAY)
}

fn of_day(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    format!("{:02}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, milliseconds % 1000)
}

/// Year, month and day in the Gregorian calendar, of a number of days since 1970-01-01.
fn date(days: u64) -> (u64, u64, u64) {
    // Years that begin in March, so that a leap day is the last day of its year; 400 of them are 146,097 days.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// The days from 1970-01-01 to a date of the Gregorian calendar.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let (era, year_of_era) = (year / 400, year % 400);
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// A duration for people: `350 µs`, `1.23 ms`, `4.50 s`.
pub(crate) fn short(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    match nanoseconds {
        0..1_000 => format!("{nanoseconds} ns"),
        1_000..1_000_000 => format!("{:.1} µs", nanoseconds as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2} ms", nanoseconds as f64 / 1e6),
        _ => format!("{:.2} s", nanoseconds as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, milliseconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(seconds * 1000 + milliseconds)
    }

    #[test]
    fn dates_are_those_of_the_calendar_both_ways() {
        for (time, written) in [
            (at(0, 0), "1970-01-01T00:00:00.000000Z"),
            (at(951_782_399, 999), "2000-02-28T23:59:59.999000Z"),
            (at(951_782_400, 0), "2000-02-29T00:00:00.000000Z"),
            (at(1_735_689_599, 0) + Duration::from_micros(1), "2024-12-31T23:59:59.000001Z"),
            (at(4_107_542_400, 5), "2100-03-01T00:00:00.005000Z"),
        ] {
            assert_eq!(rfc3339(time), written);
            assert_eq!(parse_rfc3339(written).map(|since| UNIX_EPOCH + since), Some(time));
        }
        assert_eq!(time_of_day(at(951_782_399, 7)), "23:59:59.007");
        assert_eq!(parse_rfc3339("1970-01-01T00:00:01Z"), Some(Duration::from_secs(1)));
    }

    #[test]
    fn what_is_no_time_is_not_read_as_one() {
        for wrong in [
            "",
            "Z",
            "TZ",
            "1970-01-01T00:00:00",
            "1969-01-01T00:00:00Z",
            "1970-13-01T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00.1234567890Z",
            "+970-01-01T00:00:00Z",
            "1970-01-01-01T00:00:00Z",
        ] {
            assert_eq!(parse_rfc3339(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations_have_a_unit_that_suits_them() {
        assert_eq!(short(Duration::from_nanos(12)), "12 ns");
        assert_eq!(short(Duration::from_micros(350)), "350.0 µs");
        assert_eq!(short(Duration::from_millis(4500)), "4.50 s");
    }
}
