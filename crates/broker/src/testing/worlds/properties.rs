//! What must hold in a world, and finding out whether it does.

use std::rc::Rc;

use super::{Picture, World, model};
use crate::testing::explore::{Explored, Violation};

/// What must hold.
impl<S: Clone + Ord + 'static> World<S> {
    /// This must hold in every state, after every step; what is wrong is said otherwise.
    #[must_use]
    pub fn always(
        mut self,
        name: &str,
        check: impl Fn(&Picture<'_, S>) -> Result<(), String> + 'static,
    ) -> Self {
        self.demands.push((name.to_owned(), Rc::new(check)));
        self
    }

    /// This must hold wherever all work [is done](Picture::is_drained).
    #[must_use]
    pub fn when_drained(
        self,
        name: &str,
        check: impl Fn(&Picture<'_, S>) -> Result<(), String> + 'static,
    ) -> Self {
        self.always(name, move |now| if now.is_drained() { check(now) } else { Ok(()) })
    }

    /// This must hold somewhere: otherwise the world does not show what it is meant to show.
    #[must_use]
    pub fn sometimes(
        mut self,
        name: &str,
        holds: impl Fn(&Picture<'_, S>) -> bool + 'static,
    ) -> Self {
        self.goals.push((name.to_owned(), Rc::new(holds)));
        self
    }

    /// From everywhere there must be a way to where this holds.
    #[must_use]
    pub fn can_always(
        mut self,
        name: &str,
        holds: impl Fn(&Picture<'_, S>) -> bool + 'static,
    ) -> Self {
        self.attainable.push((name.to_owned(), Rc::new(holds)));
        self
    }

    /// From everywhere there must be a way to where all work [is done](Picture::is_drained): nothing goes round for
    /// ever, and nothing waits for ever.
    #[must_use]
    pub fn can_always_drain(self) -> Self {
        self.can_always("all work can still be done", |now| now.is_drained())
    }

    /// Nothing that the broker is responsible for is ever [lost](Picture::lost).
    #[must_use]
    pub fn nothing_is_lost(self) -> Self {
        self.always("nothing is lost", |now| match now.lost().as_slice() {
            [] => Ok(()),
            lost => Err(format!("{} is nowhere", lost.join(", "))),
        })
    }

    /// Explores all of it; gives the numbers if everything holds.
    ///
    /// # Errors
    ///
    /// What does not hold, with the shortest way there, as [`Explorer::run`](crate::testing::explore::Explorer::run) says.
    ///
    /// # Panics
    ///
    /// If the world cannot begin, because the broker refuses what it begins with.
    pub fn explore(&self) -> Result<Explored, Box<Violation>> {
        model::explore(self)
    }

    /// Explores all of it; gives the numbers.
    ///
    /// # Panics
    ///
    /// If something does not hold, with the timeline of the shortest way there.
    #[track_caller]
    pub fn verify(&self) -> Explored {
        match self.explore() {
            Ok(explored) => explored,
            Err(violation) => panic!("{violation}"),
        }
    }

    /// Explores it until something does not hold; gives the shortest way there.
    ///
    /// # Panics
    ///
    /// If everything holds.
    #[track_caller]
    pub fn refute(&self) -> Violation {
        match self.explore() {
            Ok(explored) => panic!("everything holds: {explored}"),
            Err(violation) => *violation,
        }
    }
}
