//! The two text forms of a `Date`: ISO (what JSON gets) and the long form in UTC (what `Buffer.from` gets). No parsing, no
//! time zones, no clock.

const DAY: i64 = 86_400_000;
/// JavaScript's dates end 100 million days from 1970 on either side.
const LIMIT: f64 = 8.64e15;

/// `new Date(ms).getTime()`: whole milliseconds within the range of dates, or NaN.
pub(super) fn time_clip(ms: f64) -> f64 {
    if ms.abs() <= LIMIT { ms.trunc() + 0.0 } else { f64::NAN }
}

struct Parts {
    year: i64,
    month: usize,
    day: i64,
    weekday: usize,
    ms_of_day: i64,
}

fn parts(ms: f64) -> Option<Parts> {
    if ms.is_nan() {
        return None;
    }
    let ms = ms as i64;
    let days = ms.div_euclid(DAY);
    // Civil date from a day count, in eras of 400 years that begin in March.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 2 } else { march_month - 10 };
    Some(Parts {
        year: year_of_era + era * 400 + i64::from(month <= 1),
        month: usize::try_from(month).ok()?,
        day,
        weekday: usize::try_from((days + 4).rem_euclid(7)).ok()?,
        ms_of_day: ms.rem_euclid(DAY),
    })
}

/// `date.toISOString()`; nothing for an invalid date.
pub(super) fn iso(ms: f64) -> Option<String> {
    let Parts { year, month, day, ms_of_day: t, .. } = parts(ms)?;
    let year = match year {
        0..=9999 => format!("{year:04}"),
        _ if year < 0 => format!("-{:06}", -year),
        _ => format!("+{year:06}"),
    };
    let (h, m, s, ms) = (t / 3_600_000, t / 60_000 % 60, t / 1_000 % 60, t % 1_000);
    Some(format!("{year}-{:02}-{day:02}T{h:02}:{m:02}:{s:02}.{ms:03}Z", month + 1))
}

/// `String(date)` on a machine whose time zone is UTC.
pub(super) fn long(ms: f64) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let Some(Parts { year, month, day, weekday, ms_of_day: t }) = parts(ms) else {
        return "Invalid Date".to_owned();
    };
    let year = if year < 0 { format!("-{:04}", -year) } else { format!("{year:04}") };
    let (h, m, s) = (t / 3_600_000, t / 60_000 % 60, t / 1_000 % 60);
    format!(
        "{} {} {day:02} {year} {h:02}:{m:02}:{s:02} GMT+0000 (Coordinated Universal Time)",
        DAYS[weekday], MONTHS[month]
    )
}
