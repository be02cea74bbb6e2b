//! Whether a series of samples is flat, and why it is not.
//!
//! After the warm-up, the first fifth of a run, the rest is cut into 16 pieces, and of each its lowest sample is looked at: large
//! messages come and go, and what they need for a moment is no growth, whereas a leak raises the floor. The floor is flat if both
//! hold, `slack` being 10 % of its median and a fixed amount for what an allocator keeps or a client more or less has open:
//!
//! - its line of regression rises by less than `slack` from its beginning to its end;
//! - the median of its last quarter is less than that of its second quarter and `slack`.
//!
//! The first sees slow and steady growth through noise, the second a step that stays. What goes down is flat.

/// What is looked at, and its fixed slack.
#[derive(Clone, Copy, Debug)]
pub struct Criterion {
    /// How it is called in reports.
    pub name: &'static str,
    /// The fixed part of the slack.
    pub slack: f64,
}

/// Memory in bytes: 4 MiB.
pub const MEMORY: Criterion = Criterion { name: "memory", slack: 4.0 * 1024.0 * 1024.0 };
/// Memory in a run of less than five minutes, in which few of the largest messages meet: 32 MiB.
pub const MEMORY_SHORT: Criterion = Criterion { slack: 32.0 * 1024.0 * 1024.0, ..MEMORY };
/// Descriptors: 8.
pub const DESCRIPTORS: Criterion = Criterion { name: "descriptors", slack: 8.0 };

/// Pieces of a run. With fewer samples than that nothing can be said.
const WINDOWS: usize = 16;

/// What was found about a flat series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flat {
    /// The median of the floor.
    pub median: f64,
    /// By how much the line of regression rises over the run.
    pub rise: f64,
    /// The median of the last quarter less that of the second.
    pub step: f64,
    /// What either may be.
    pub slack: f64,
}

/// The lowest sample of each piece after the warm-up.
fn floor(series: &[f64]) -> Vec<f64> {
    let warm = &series[series.len() / 5..];
    let piece = |index: usize| &warm[index * warm.len() / WINDOWS..(index + 1) * warm.len() / WINDOWS];
    (0..WINDOWS).map(|index| piece(index).iter().copied().fold(f64::INFINITY, f64::min)).collect()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// By how much the line of least squares through samples at equal distances rises from the first to the last.
fn rise(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let middle = (count - 1.0) / 2.0;
    let mean = values.iter().sum::<f64>() / count;
    let offsets = || (0..values.len()).map(|index| index as f64 - middle);
    let covariance: f64 = offsets().zip(values).map(|(offset, value)| offset * (value - mean)).sum();
    let variance: f64 = offsets().map(|offset| offset * offset).sum();
    covariance / variance * (count - 1.0)
}

impl Criterion {
    /// Judges a series from its very beginning, samples at equal distances.
    ///
    /// # Errors
    ///
    /// Says what grows, or that there are too few samples.
    pub fn judge(self, series: &[f64]) -> Result<Flat, String> {
        let Self { name, slack } = self;
        if series.len() < WINDOWS * 2 {
            return Err(format!("{name}: {} samples are too few to judge by; run it for longer", series.len()));
        }
        let floor = floor(series);
        let quarter = WINDOWS / 4;
        let all = median(&floor);
        let step = median(&floor[WINDOWS - quarter..]) - median(&floor[quarter..2 * quarter]);
        let flat = Flat { median: all, rise: rise(&floor), step, slack: slack + all * 0.1 };
        if flat.rise >= flat.slack {
            return Err(format!("{name} rises: {flat:?}"));
        }
        if flat.step >= flat.slack {
            return Err(format!("{name} has risen for good: {flat:?}"));
        }
        Ok(flat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: f64 = 1024.0 * 1024.0;

    fn noisy(count: usize, value: impl Fn(f64) -> f64) -> Vec<f64> {
        // Up to 8 MiB up and down, as large messages come and go.
        (0..count).map(|index| value(index as f64) + ((index * 7919) % 97) as f64 / 97.0 * 8.0 * MIB).collect()
    }

    #[test]
    fn a_level_series_is_flat_through_noise_and_after_a_steep_warm_up() {
        MEMORY.judge(&noisy(300, |_| 30.0 * MIB)).unwrap();
        MEMORY.judge(&noisy(300, |at| if at < 60.0 { at * MIB / 2.0 } else { 30.0 * MIB })).unwrap();
        MEMORY.judge(&noisy(300, |at| 30.0 * MIB - at * MIB / 20.0)).unwrap();
    }

    #[test]
    fn a_slow_leak_and_a_step_are_noticed_through_noise() {
        // 12 MiB over the run.
        MEMORY.judge(&noisy(300, |at| 30.0 * MIB + at * 12.0 * MIB / 240.0)).unwrap_err();
        MEMORY.judge(&noisy(300, |at| if at < 240.0 { 30.0 * MIB } else { 60.0 * MIB })).unwrap_err();
        let leaking: Vec<f64> = (0..300).map(|at| 30.0 + f64::from(at) / 10.0).collect();
        DESCRIPTORS.judge(&leaking).unwrap_err();
    }

    #[test]
    fn too_few_samples_are_no_verdict() {
        MEMORY.judge(&[1.0; 31]).unwrap_err();
        MEMORY.judge(&[]).unwrap_err();
    }
}
