//! How near a text is to another that was perhaps meant.

/// How many letters are to be put in, left out, replaced or exchanged with their neighbour to turn one text into another.
pub(crate) fn distance(one: &str, other: &str) -> usize {
    // No name is longer: a huge one must not cost quadratic time.
    const LONGEST: usize = 40;
    if one.len() > LONGEST {
        return usize::MAX;
    }
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for (row, letter) in one.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, against) in other.iter().enumerate() {
            let replaced = rows[row][column] + usize::from(letter != against);
            let mut least = replaced.min(rows[row][column + 1] + 1).min(next[column] + 1);
            if row > 0 && column > 0 && one[row - 1] == *against && *letter == other[column - 1] {
                least = least.min(rows[row - 1][column - 1] + 1);
            }
            next.push(least);
        }
        rows.push(next);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_slip_counts_one() {
        for (typed, meant, slips) in [
            ("tls", "tls", 0),
            ("tsl", "tls", 1),
            ("tl", "tls", 1),
            ("ttls", "tls", 1),
            ("tsl", "tcp", 2),
            ("", "udp", 3),
            ("udp", "", 3),
        ] {
            assert_eq!(distance(typed, meant), slips, "{typed} {meant}");
        }
        assert_eq!(distance(&"x".repeat(1_000_000), "x"), usize::MAX);
    }
}
