//! Exhaustive exploration: every state that a small world can reach, in the order of distance.
//!
//! Random tests look at a few paths through many states; this looks at all paths through few. Give it a
//! [`Model`], a world so small that its states can be counted: two queues, three messages, a crash at any
//! point. It goes to every state breadth first, asks every property of every transition's result, and so
//! either says of a property that it holds, with the number of states as evidence, or gives the
//! *shortest* way to break it.
//!
//! Properties are of three kinds. An *always* property must hold everywhere. A *sometimes* property must
//! hold somewhere: a check in which no crash ever loses anything proves nothing about crashes, and only
//! this kind of property notices. What is *attainable* must stay possible: from everywhere there must be a way
//! to where it holds. A message that comes back for ever breaks no rule at any time, and is found by this alone.
//!
//! [`worlds`](super::worlds) are models ready made, for worlds of queues, consumers and messages.
//!
//! ```
//! use leveret_broker::testing::explore::{Always, Explorer, Model, Sometimes};
//!
//! /// Two people who take and put back a lock without looking.
//! struct Careless;
//!
//! impl Model for Careless {
//!     type State = [bool; 2];
//!     type Action = String;
//!     type Key = [bool; 2];
//!
//!     fn initial(&self) -> Vec<Self::State> {
//!         vec![[false; 2]]
//!     }
//!
//!     fn steps(&self, state: &Self::State) -> Vec<(Self::Action, Self::State)> {
//!         let one = |who: usize| {
//!             let mut next = *state;
//!             next[who] = !next[who];
//!             (format!("{} {}", who + 1, if next[who] { "enters" } else { "leaves" }), next)
//!         };
//!         vec![one(0), one(1)]
//!     }
//!
//!     fn key(&self, state: &Self::State) -> Self::Key {
//!         *state
//!     }
//!
//!     fn always(&self) -> Vec<Always<Self::State>> {
//!         let alone = |state: &[bool; 2]| match state {
//!             [true, true] => Err("both are inside".to_owned()),
//!             _ => Ok(()),
//!         };
//!         vec![("nobody meets anybody", alone)]
//!     }
//!
//!     fn sometimes(&self) -> Vec<Sometimes<Self::State>> {
//!         vec![("the second is inside", |state| state[1])]
//!     }
//! }
//!
//! let violation = Explorer::new(Careless).run().unwrap_err();
//! assert_eq!(violation.trace, ["1 enters", "2 enters"]);
//! ```
//!
//! # What to put into a key
//!
//! States with equal keys are taken for one, and only the first is followed. A key must therefore hold
//! everything that what happens later depends on, and should hold nothing else: no running number, no
//! time, no order that does not matter. Too small a key hides states; too large a one makes them endless.
//! Properties are asked of *every* transition's result, also of one whose key is known. So a state may
//! carry what the last step did, outside of its key, for properties to look at.
//!
//! [`Explorer::checking_keys`] looks whether a key does: where a state is taken for another, both must lead on to
//! the same, by the same actions.
//!
//! # Determinism
//!
//! Nothing here depends on chance, hashing or time. The same model gives the same numbers and the same
//! traces, so a test can pin them: a number that changes says that the world has changed.

mod backward;
mod found;
mod keys;

use std::any::Any;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use backward::Ways;
use keys::Twins;

pub use found::{Explored, Violation};

/// A property that must hold in every state: its name, and what is wrong with a state.
pub type Always<State> = (&'static str, fn(&State) -> Result<(), String>);

/// A property that must hold in at least one state: its name, and whether it holds in this one.
pub type Sometimes<State> = (&'static str, fn(&State) -> bool);

/// An *always* property of any kind of function: its name, and what is wrong with a state.
pub type Demand<'a, State> = (String, Box<dyn Fn(&State) -> Result<(), String> + 'a>);

/// A property that must hold somewhere, or must stay attainable: its name, and whether it holds in a state.
pub type Goal<'a, State> = (String, Box<dyn Fn(&State) -> bool + 'a>);

/// What can happen in a state of a model, with the state after it.
pub type Steps<M> = Vec<(<M as Model>::Action, <M as Model>::State)>;

/// A world to explore.
pub trait Model {
    /// What the world is like at one time.
    type State;
    /// What can happen to it, as a line of a trace.
    type Action: fmt::Display;
    /// What tells states apart; see the [module](self).
    type Key: Ord;

    /// The states at the beginning.
    fn initial(&self) -> Vec<Self::State>;

    /// Everything that can happen next, with the state after it, in a fixed order. None for an end.
    ///
    /// A panic is a violation, told with the trace to `state`.
    fn steps(&self, state: &Self::State) -> Vec<(Self::Action, Self::State)>;

    /// What tells this state from others.
    fn key(&self, state: &Self::State) -> Self::Key;

    /// A state as it is kept until it is followed. Every property was asked of it before, so what only they look at may
    /// be let go here.
    fn kept(&self, state: Self::State) -> Self::State {
        state
    }

    /// What must hold in every state.
    fn always(&self) -> Vec<Always<Self::State>>;

    /// What must hold in some state, each on its own.
    fn sometimes(&self) -> Vec<Sometimes<Self::State>> {
        Vec::new()
    }

    /// What must hold in every state, if functions without surroundings do not say it.
    fn demands(&self) -> Vec<Demand<'_, Self::State>> {
        let boxed = |(name, check): Always<Self::State>| -> Demand<'_, Self::State> {
            (name.to_owned(), Box::new(check))
        };
        self.always().into_iter().map(boxed).collect()
    }

    /// What must hold in some state, if functions without surroundings do not say it.
    fn goals(&self) -> Vec<Goal<'_, Self::State>> {
        let boxed = |(name, holds): Sometimes<Self::State>| -> Goal<'_, Self::State> {
            (name.to_owned(), Box::new(holds))
        };
        self.sometimes().into_iter().map(boxed).collect()
    }

    /// What must stay possible: from every state there is a way to one where it holds. It is asked of states
    /// that were not known before, so it may depend on nothing that their keys leave out.
    fn attainable(&self) -> Vec<Goal<'_, Self::State>> {
        Vec::new()
    }

    /// What happens on a way from the beginning, as lines; shown with a violation instead of the actions alone.
    fn timeline(&self, _actions: &[&Self::Action]) -> String {
        String::new()
    }

    /// A state as text, shown at the end of a violation's trace.
    fn describe(&self, _state: &Self::State) -> String {
        String::new()
    }
}

/// Goes through all states of a [`Model`].
#[derive(Debug)]
pub struct Explorer<M> {
    model: M,
    states_max: usize,
    depth_max: usize,
    check_keys: bool,
}

impl<M: Model> Explorer<M> {
    /// An explorer that goes everywhere, but gives up beyond ten million states.
    #[must_use]
    pub fn new(model: M) -> Self {
        Self { model, states_max: 10_000_000, depth_max: usize::MAX, check_keys: false }
    }

    /// More states than this are a violation: the world is larger than thought.
    #[must_use]
    pub fn with_states_max(mut self, states: usize) -> Self {
        self.states_max = states;
        self
    }

    /// Goes at most this many steps from the beginning. What is found then holds up to that depth, and
    /// [`Explored::complete`] tells whether there was more.
    #[must_use]
    pub fn with_depth_max(mut self, steps: usize) -> Self {
        self.depth_max = steps;
        self
    }

    /// Looks also whether keys tell apart what must be told apart. Of the states with one key up to two others than
    /// the one that was followed are followed too, and must come to states with the same keys, by the same actions.
    /// It costs up to twice as much time again, and memory for these states.
    #[must_use]
    pub fn checking_keys(mut self) -> Self {
        self.check_keys = true;
        self
    }

    /// Goes to every state.
    ///
    /// # Errors
    ///
    /// The first property that does not hold, by the distance of the state; a panic of the model; a
    /// *sometimes* property that holds nowhere; the nearest state from which there is no way to what must stay
    /// attainable; a key that is too small, if that is checked; or more states than allowed.
    pub fn run(&self) -> Result<Explored, Box<Violation>> {
        let mut run = Run::new(&self.model, self.check_keys);
        for state in self.model.initial() {
            run.arrive(None, state)?;
        }
        while let Some((number, state)) = run.frontier.pop_front() {
            let steps = run.steps(number, &state)?;
            run.ends += usize::from(steps.is_empty());
            if run.depth_of(number) == self.depth_max {
                run.complete &= steps.is_empty();
                run.ways.unknown(number, !steps.is_empty());
                continue;
            }
            for (action, next) in steps {
                run.transitions += 1;
                run.arrive(Some((number, action)), next)?;
            }
            if run.nodes.len() > self.states_max {
                let why = format!("there are more than {}", self.states_max);
                let at = Some(number);
                return Err(run.violation("the number of states has a bound", why, at, None));
            }
        }
        run.finish()
    }
}

/// An exploration on its way.
struct Run<'a, M: Model> {
    model: &'a M,
    always: Vec<Demand<'a, M::State>>,
    sometimes: Vec<Sought<'a, M::State>>,
    attainable: Vec<Goal<'a, M::State>>,
    /// From where one comes where, for what must stay attainable.
    ways: Ways,
    /// States that were taken for others, if keys are checked.
    twins: Option<Twins<M::State>>,
    /// How each state was first reached: from where, by what.
    nodes: Vec<Node<M::Action>>,
    known: BTreeMap<M::Key, usize>,
    /// States that are still to be followed, nearest first.
    frontier: VecDeque<(usize, M::State)>,
    transitions: usize,
    ends: usize,
    complete: bool,
}

/// A *sometimes* property, and the shortest way to where it holds.
struct Sought<'a, State> {
    goal: Goal<'a, State>,
    witness: Option<Vec<String>>,
}

struct Node<Action> {
    depth: usize,
    from: Option<(usize, Action)>,
}

impl<'a, M: Model> Run<'a, M> {
    fn new(model: &'a M, check_keys: bool) -> Self {
        let sought = |goal| Sought { goal, witness: None };
        let attainable = model.attainable();
        Self {
            model,
            always: model.demands(),
            sometimes: model.goals().into_iter().map(sought).collect(),
            ways: Ways::new(attainable.len()),
            attainable,
            twins: check_keys.then(Twins::default),
            nodes: Vec::new(),
            known: BTreeMap::new(),
            frontier: VecDeque::new(),
            transitions: 0,
            ends: 0,
            complete: true,
        }
    }

    /// Asks every property of a state, and keeps the state if it is new.
    fn arrive(
        &mut self,
        from: Option<(usize, M::Action)>,
        state: M::State,
    ) -> Result<(), Box<Violation>> {
        let parent = from.as_ref().map(|(parent, _)| *parent);
        for (name, check) in &self.always {
            if let Err(why) = check(&state) {
                let last = from.as_ref().map(|(_, action)| action);
                let mut violation = self.violation(name, why, parent, last);
                violation.state = self.model.describe(&state);
                return Err(violation);
            }
        }
        for index in 0..self.sometimes.len() {
            let sought = &self.sometimes[index];
            if sought.witness.is_none() && (sought.goal.1)(&state) {
                let last = from.as_ref().map(|(_, action)| action);
                let way = self.way(parent).into_iter().chain(last);
                self.sometimes[index].witness = Some(way.map(M::Action::to_string).collect());
            }
        }
        let number = self.nodes.len();
        let action = from.as_ref().filter(|_| self.twins.is_some());
        let action = action.map(|(_, action)| action.to_string());
        let to = match self.known.entry(self.model.key(&state)) {
            Entry::Vacant(place) => {
                place.insert(number);
                let holds = self.attainable.iter().map(|(_, holds)| holds(&state));
                self.ways.found(holds);
                let depth = parent.map_or(0, |parent| self.nodes[parent].depth + 1);
                self.nodes.push(Node { depth, from });
                self.frontier.push_back((number, self.model.kept(state)));
                number
            }
            Entry::Occupied(place) => {
                if let Some(twins) = &mut self.twins {
                    twins.keep(*place.get(), self.model.kept(state));
                }
                *place.get()
            }
        };
        if let Some(parent) = parent {
            self.ways.lead(parent, to);
            if let (Some(twins), Some(action)) = (&mut self.twins, action) {
                twins.lead(parent, action, to);
            }
        }
        Ok(())
    }

    fn steps(&self, number: usize, state: &M::State) -> Result<Steps<M>, Box<Violation>> {
        catch_unwind(AssertUnwindSafe(|| self.model.steps(state))).map_err(|panic| {
            let why = format!("a step after this panics: {}", said(&*panic));
            let mut violation = self.violation("no step panics", why, Some(number), None);
            violation.state = self.model.describe(state);
            violation
        })
    }

    fn depth_of(&self, number: usize) -> usize {
        self.nodes[number].depth
    }

    /// The actions that lead from the beginning to a state.
    fn way(&self, to: Option<usize>) -> Vec<&M::Action> {
        let mut way = Vec::new();
        let mut at = to;
        while let Some(number) = at {
            let from = self.nodes[number].from.as_ref();
            way.extend(from.map(|(_, action)| action));
            at = from.map(|(parent, _)| *parent);
        }
        way.reverse();
        way
    }

    /// What is wrong after the way to a known state, and perhaps one action more.
    fn violation(
        &self,
        property: &str,
        why: String,
        at: Option<usize>,
        last: Option<&M::Action>,
    ) -> Box<Violation> {
        let way: Vec<_> = self.way(at).into_iter().chain(last).collect();
        let trace = way.iter().map(|action| action.to_string()).collect();
        // What the timeline is made of may be what panics.
        let timeline = catch_unwind(AssertUnwindSafe(|| self.model.timeline(&way)));
        let timeline = timeline.unwrap_or_default();
        let (property, states) = (property.to_owned(), self.nodes.len());
        Box::new(Violation { property, why, trace, timeline, state: String::new(), states })
    }

    fn finish(mut self) -> Result<Explored, Box<Violation>> {
        let never = self.sometimes.iter().filter(|sought| sought.witness.is_none());
        let never: Vec<_> = never.map(|sought| sought.goal.0.as_str()).collect();
        if !never.is_empty() {
            let why = format!("nowhere: {}", never.join("; "));
            return Err(self.violation("what must be possible happens somewhere", why, None, None));
        }
        self.check_attainable()?;
        self.check_twins()?;
        Ok(Explored {
            states: self.nodes.len(),
            transitions: self.transitions,
            depth: self.nodes.last().map_or(0, |node| node.depth),
            ends: self.ends,
            complete: self.complete,
            witnesses: self
                .sometimes
                .into_iter()
                .map(|sought| (sought.goal.0, sought.witness.unwrap_or_default()))
                .collect(),
        })
    }
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("something else than a text")
}
