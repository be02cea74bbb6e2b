//! Which arrays and objects are open while a text is scanned, a bit each.

/// What can hold values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Array,
    Object,
}

impl Container {
    /// The byte it ends with.
    #[inline]
    pub(super) fn end(self) -> u8 {
        match self {
            Self::Array => b']',
            Self::Object => b'}',
        }
    }

    /// What may follow a value in it.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Array => "a comma or ]",
            Self::Object => "a comma or }",
        }
    }
}

/// The open containers, a bit each: 0 for an array, 1 for an object. Nothing is allocated up to a depth of 64.
#[derive(Default)]
pub(super) struct Containers {
    depth: usize,
    /// The innermost ones since `depth` last was a multiple of 64; the lowest bit is the innermost.
    inner: u64,
    /// The others, in full words.
    outer: Vec<u64>,
}

impl Containers {
    /// Opens a container inside the innermost one.
    #[inline]
    pub(super) fn push(&mut self, container: Container) {
        if self.depth % 64 == 0 && self.depth > 0 {
            self.outer.push(self.inner);
        }
        self.inner = self.inner << 1 | u64::from(container == Container::Object);
        self.depth += 1;
    }

    /// Closes the innermost one. There must be one.
    #[inline]
    pub(super) fn pop(&mut self) {
        self.depth -= 1;
        self.inner >>= 1;
        if self.depth % 64 == 0 && self.depth > 0 {
            self.inner = self.outer.pop().unwrap_or_default();
        }
    }

    /// The container that values now belong to; `None` outside of all.
    #[inline]
    pub(super) fn innermost(&self) -> Option<Container> {
        if self.depth == 0 {
            return None;
        }
        Some(if self.inner & 1 == 1 { Container::Object } else { Container::Array })
    }
}
