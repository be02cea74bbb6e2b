//! The name of an event together with the type of its payload.

use std::fmt;
use std::marker::PhantomData;

/// The name of an event whose payload is a `T`. `#[derive(Contract)]` makes one for each variant; others can be made
/// by hand:
///
/// ```
/// use ipc_proto::EventName;
///
/// const TOTAL: EventName<f64> = EventName::new("total");
/// assert_eq!(TOTAL.as_str(), "total");
/// ```
pub struct EventName<T: ?Sized> {
    name: &'static str,
    /// Of a function: a name is `Send` and `Sync` whatever its payload is.
    payload: PhantomData<fn(&T)>,
}

impl<T: ?Sized> EventName<T> {
    /// Says that the payload of the events of this name is a `T`.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, payload: PhantomData }
    }

    /// The name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.name
    }
}

impl<T: ?Sized> Clone for EventName<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for EventName<T> {}

impl<T: ?Sized> fmt::Display for EventName<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl<T: ?Sized> fmt::Debug for EventName<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventName").field(&self.name).finish()
    }
}
