//! What clones of a broker have in common until one of them changes it.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// A value whose clones are one until one of them is changed.
///
/// It is for what changes seldom: looking costs an indirection, changing a look at who else has it. A clone of a whole
/// engine, of which explorations make one for each step, copies none of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shared<T>(Arc<T>);

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}
