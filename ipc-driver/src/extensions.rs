//! Values of any type kept with a peer, one of each type.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Kept = HashMap<TypeId, Arc<dyn Any + Send + Sync>>;

/// Nothing is allocated before the first value. The lock protects the map only: values are dropped without it.
#[derive(Default)]
pub(crate) struct Extensions(Mutex<Option<Box<Kept>>>);

impl Extensions {
    fn lock(&self) -> MutexGuard<'_, Option<Box<Kept>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set<T: Send + Sync + 'static>(&self, value: T) -> Option<Arc<T>> {
        let value = Arc::new(value);
        let replaced = self.lock().get_or_insert_default().insert(TypeId::of::<T>(), value);
        replaced?.downcast().ok()
    }

    pub(crate) fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let value = self.lock().as_ref()?.get(&TypeId::of::<T>()).cloned();
        value?.downcast().ok()
    }

    pub(crate) fn take<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let value = self.lock().as_mut()?.remove(&TypeId::of::<T>());
        value?.downcast().ok()
    }
}
