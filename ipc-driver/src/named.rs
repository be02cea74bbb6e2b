//! What is registered under a name, found quickly by whoever asks for the same name again.

use std::collections::HashMap;

/// Lists by name. The names are those of the program, never those of a peer; a peer's name is only looked up.
#[derive(Clone, Debug)]
pub(crate) struct Named<T> {
    places: HashMap<Box<str>, usize>,
    lists: Vec<(Box<str>, Vec<T>)>,
}

/// Where a name was found last, which is where the next one will be: most peers send few names, in runs. It is right or
/// wrong for any table, never harmful.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place(usize);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { places: HashMap::new(), lists: Vec::new() }
    }
}

impl<T> Named<T> {
    /// What is registered under a name, in order; nothing if it has none.
    #[inline]
    pub(crate) fn get(&self, name: &str, place: &mut Place) -> Option<&[T]> {
        if let Some((known, list)) = self.lists.get(place.0) {
            if **known == *name {
                return Some(list);
            }
        }
        place.0 = *self.places.get(name)?;
        self.lists.get(place.0).map(|(_, list)| &**list)
    }

    pub(crate) fn push(&mut self, name: &str, item: T) {
        let place = *self.places.entry(name.into()).or_insert_with(|| {
            self.lists.push((name.into(), Vec::new()));
            self.lists.len() - 1
        });
        self.lists[place].1.push(item);
    }

    /// Takes out what `keep` does not keep, of all names. `false` if that is nothing.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) -> bool {
        let mut removed = false;
        for (_, list) in &mut self.lists {
            let before = list.len();
            list.retain(&mut keep);
            removed |= list.len() < before;
        }
        self.tidy();
        removed
    }

    pub(crate) fn remove(&mut self, name: &str) {
        if let Some(&place) = self.places.get(name) {
            self.lists[place].1.clear();
            self.tidy();
        }
    }

    /// Forgets names under which nothing is left.
    fn tidy(&mut self) {
        if self.lists.iter().any(|(_, list)| list.is_empty()) {
            self.lists.retain(|(_, list)| !list.is_empty());
            self.places = self.lists.iter().enumerate().map(|(place, (name, _))| (name.clone(), place)).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(named: &Named<u8>, place: &mut Place) -> Vec<Option<Vec<u8>>> {
        ["a", "b", "c", ""].map(|name| named.get(name, place).map(<[u8]>::to_vec)).into()
    }

    #[test]
    fn a_name_is_found_whatever_was_found_before() {
        let mut named = Named::default();
        for (name, item) in [("a", 1), ("b", 2), ("a", 3)] {
            named.push(name, item);
        }
        for start in 0..4 {
            let mut place = Place(start);
            assert_eq!(names(&named, &mut place), [Some(vec![1, 3]), Some(vec![2]), None, None], "{start}");
        }
    }

    #[test]
    fn what_is_taken_out_is_not_found_and_the_others_are() {
        let mut named = Named::default();
        for (name, item) in [("a", 1), ("b", 2), ("c", 3), ("c", 4)] {
            named.push(name, item);
        }
        let mut place = Place::default();
        assert!(named.get("c", &mut place).is_some());
        assert!(named.retain(|&item| item != 1 && item != 4));
        assert!(!named.retain(|&item| item != 9));
        assert_eq!(names(&named, &mut place), [None, Some(vec![2]), Some(vec![3]), None]);
        named.remove("b");
        named.remove("unknown");
        assert_eq!(names(&named, &mut place), [None, None, Some(vec![3]), None]);
        named.push("a", 5);
        assert_eq!(names(&named, &mut place), [Some(vec![5]), None, Some(vec![3]), None]);
    }
}
