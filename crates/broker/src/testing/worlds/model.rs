//! A world as a model for the explorer.

use std::fmt::Write as _;

use super::World;
use super::key::Key;
use super::picture::Picture;
use super::state::State;
use super::steps::Action;
use crate::engine::Shared;
use crate::runtime::History;
use crate::testing::explore::{Always, Demand, Explored, Explorer, Goal, Model, Steps, Violation};

pub(super) fn explore<S: Clone + Ord + 'static>(
    world: &World<S>,
) -> Result<Explored, Box<Violation>> {
    let explorer = Explorer::new(Whole(world)).with_states_max(world.states_max);
    let explorer = if world.check_keys { explorer.checking_keys() } else { explorer };
    explorer.run()
}

/// A world with all that may happen in it.
struct Whole<'a, S>(&'a World<S>);

impl<S: Clone + Ord + 'static> Model for Whole<'_, S> {
    type State = State<S>;
    type Action = Action;
    type Key = Key<S>;

    fn initial(&self) -> Vec<State<S>> {
        vec![State::new(self.0)]
    }

    fn steps(&self, state: &State<S>) -> Steps<Self> {
        let world = self.0;
        let mut steps: Steps<Self> = Vec::new();
        for action in state.actions(world) {
            let next = state.after(world, action.kind);
            let unwritten = next.journal.as_ref().map_or(0, super::disk::Journal::pending);
            if unwritten <= world.unwritten_max {
                steps.push((action, next));
            }
        }
        steps
    }

    fn key(&self, state: &State<S>) -> Key<S> {
        state.key(self.0)
    }

    fn kept(&self, mut state: State<S>) -> State<S> {
        state.last = Shared::default();
        state
    }

    fn always(&self) -> Vec<Always<State<S>>> {
        Vec::new()
    }

    fn demands(&self) -> Vec<Demand<'_, State<S>>> {
        let sound = |state: &State<S>| state.last.wrong.clone().map_or(Ok(()), Err);
        let sound: Demand<'_, State<S>> =
            ("the broker keeps its rules, and refuses nothing".to_owned(), Box::new(sound));
        let own = self.0.demands.iter().map(|(name, check)| -> Demand<'_, State<S>> {
            (name.clone(), Box::new(move |state| check(&Picture::new(self.0, state))))
        });
        std::iter::once(sound).chain(own).collect()
    }

    fn goals(&self) -> Vec<Goal<'_, State<S>>> {
        self.0.goals.iter().map(|goal| self.goal(goal)).collect()
    }

    fn attainable(&self) -> Vec<Goal<'_, State<S>>> {
        self.0.attainable.iter().map(|goal| self.goal(goal)).collect()
    }

    fn timeline(&self, actions: &[&Action]) -> String {
        let mut state = State::new(self.0);
        let mut text = String::new();
        for (index, action) in actions.iter().enumerate() {
            state = state.after(self.0, action.kind);
            // Writing to a text does not fail.
            let _ = writeln!(text, "{:4}. {action}", index + 1);
            let mut history = History::default();
            history.extend(state.last.events.iter().cloned());
            for line in history.to_string().lines().skip(1) {
                let _ = writeln!(text, "      {line}");
            }
        }
        text
    }

    fn describe(&self, state: &State<S>) -> String {
        describe(self.0, state)
    }
}

impl<S: Clone + Ord + 'static> Whole<'_, S> {
    fn goal<'a>(&'a self, (name, holds): &'a super::Goal<S>) -> Goal<'a, State<S>> {
        (name.clone(), Box::new(move |state| holds(&Picture::new(self.0, state))))
    }
}

/// A state in a few lines.
fn describe<S: Clone + Ord>(world: &World<S>, state: &State<S>) -> String {
    let now = Picture::new(world, state);
    let mut text = String::from("then:\n");
    for queue in &now.view().queues {
        let star = |redelivered| if redelivered { "*" } else { "" };
        let ready = now.ready_messages(&queue.name);
        let ready: Vec<_> =
            ready.iter().map(|one| format!("{}{}", one.body, star(one.redelivered))).collect();
        let _ = writeln!(text, "      {}: {}", queue.name, list(&ready));
    }
    for consumer in &world.consumers {
        let tag = &consumer.tag;
        let away = if now.is_here(tag) { "" } else { ", and is not there" };
        let _ = writeln!(text, "      {tag} holds {}{away}", list(&now.held(tag)));
    }
    if !now.effects().is_empty() {
        let effects: Vec<_> =
            now.effects().iter().map(|(name, count)| format!("\"{name}\" {count}x")).collect();
        let _ = writeln!(text, "      done: {}", effects.join(", "));
    }
    text
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(" ") }
}
