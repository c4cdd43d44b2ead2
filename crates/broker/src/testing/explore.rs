//! Exhaustive exploration: every state that a small world can reach, in the order of distance.
//!
//! Random tests look at a few paths through many states; this looks at all paths through few. Give it a
//! [`Model`], a world so small that its states can be counted: two queues, three messages, a crash at any
//! point. It goes to every state breadth first, asks every property of every transition's result, and so
//! either says of a property that it holds, with the number of states as evidence, or gives the
//! *shortest* way to break it.
//!
//! Properties are of two kinds. An *always* property must hold everywhere. A *sometimes* property must
//! hold somewhere: a check in which no crash ever loses anything proves nothing about crashes, and only
//! this kind of property notices.
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
//! # Determinism
//!
//! Nothing here depends on chance, hashing or time. The same model gives the same numbers and the same
//! traces, so a test can pin them: a number that changes says that the world has changed.

use std::any::Any;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A property that must hold in every state: its name, and what is wrong with a state.
pub type Always<State> = (&'static str, fn(&State) -> Result<(), String>);

/// A property that must hold in at least one state: its name, and whether it holds in this one.
pub type Sometimes<State> = (&'static str, fn(&State) -> bool);

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

    /// What must hold in every state.
    fn always(&self) -> Vec<Always<Self::State>>;

    /// What must hold in some state, each on its own.
    fn sometimes(&self) -> Vec<Sometimes<Self::State>> {
        Vec::new()
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
}

/// What a whole exploration has found; every property holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explored {
    /// States with different keys.
    pub states: usize,
    /// Steps from a state to a state, those to known ones included.
    pub transitions: usize,
    /// Steps to the most distant state.
    pub depth: usize,
    /// States in which nothing can happen any more.
    pub ends: usize,
    /// Whether there is nothing behind the greatest depth that was allowed.
    pub complete: bool,
    /// For each *sometimes* property the shortest way to a state in which it holds.
    pub witnesses: Vec<(&'static str, Vec<String>)>,
}

/// A property that does not hold, and the shortest way there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The property's name.
    pub property: String,
    /// What is wrong.
    pub why: String,
    /// The actions that lead there from the beginning; empty if there is no such place.
    pub trace: Vec<String>,
    /// The state there, as [`Model::describe`] has it.
    pub state: String,
    /// How many states were known by then.
    pub states: usize,
}

impl<M: Model> Explorer<M> {
    /// An explorer that goes everywhere, but gives up beyond ten million states.
    #[must_use]
    pub fn new(model: M) -> Self {
        Self { model, states_max: 10_000_000, depth_max: usize::MAX }
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

    /// Goes to every state.
    ///
    /// # Errors
    ///
    /// The first property that does not hold, by the distance of the state; a panic of the model; a
    /// *sometimes* property that holds nowhere; or more states than allowed.
    pub fn run(&self) -> Result<Explored, Box<Violation>> {
        let mut run = Run::new(&self.model);
        for state in self.model.initial() {
            run.arrive(None, state)?;
        }
        while let Some((number, state)) = run.frontier.pop_front() {
            let steps = run.steps(number, &state)?;
            run.ends += usize::from(steps.is_empty());
            if run.depth_of(number) == self.depth_max {
                run.complete &= steps.is_empty();
                continue;
            }
            for (action, next) in steps {
                run.transitions += 1;
                run.arrive(Some((number, action)), next)?;
            }
            if run.nodes.len() > self.states_max {
                let why = format!("there are more than {}", self.states_max);
                return Err(run.violation("the number of states has a bound", why, Some(number)));
            }
        }
        run.finish()
    }
}

/// An exploration on its way.
struct Run<'a, M: Model> {
    model: &'a M,
    always: Vec<Always<M::State>>,
    sometimes: Vec<Sought<M::State>>,
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
struct Sought<State> {
    name: &'static str,
    holds: fn(&State) -> bool,
    witness: Option<Vec<String>>,
}

struct Node<Action> {
    depth: usize,
    from: Option<(usize, Action)>,
}

impl<'a, M: Model> Run<'a, M> {
    fn new(model: &'a M) -> Self {
        let sought = |(name, holds)| Sought { name, holds, witness: None };
        Self {
            model,
            always: model.always(),
            sometimes: model.sometimes().into_iter().map(sought).collect(),
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
        let last = from.as_ref().map(|(_, action)| action.to_string());
        let parent = from.as_ref().map(|(parent, _)| *parent);
        for (name, check) in &self.always {
            if let Err(why) = check(&state) {
                let mut violation = self.violation(name, why, parent);
                violation.trace.extend(last);
                violation.state = self.model.describe(&state);
                return Err(violation);
            }
        }
        for index in 0..self.sometimes.len() {
            let sought = &self.sometimes[index];
            if sought.witness.is_none() && (sought.holds)(&state) {
                let way = self.trace(parent).into_iter().chain(last.clone());
                self.sometimes[index].witness = Some(way.collect());
            }
        }
        let number = self.nodes.len();
        if let Entry::Vacant(place) = self.known.entry(self.model.key(&state)) {
            place.insert(number);
            let depth = parent.map_or(0, |parent| self.nodes[parent].depth + 1);
            self.nodes.push(Node { depth, from });
            self.frontier.push_back((number, state));
        }
        Ok(())
    }

    fn steps(&self, number: usize, state: &M::State) -> Result<Steps<M>, Box<Violation>> {
        catch_unwind(AssertUnwindSafe(|| self.model.steps(state))).map_err(|panic| {
            let why = format!("a step after this panics: {}", said(&*panic));
            let mut violation = self.violation("no step panics", why, Some(number));
            violation.state = self.model.describe(state);
            violation
        })
    }

    fn depth_of(&self, number: usize) -> usize {
        self.nodes[number].depth
    }

    /// The actions that lead from the beginning to a state.
    fn trace(&self, to: Option<usize>) -> Vec<String> {
        let mut trace = Vec::new();
        let mut at = to;
        while let Some(number) = at {
            let from = self.nodes[number].from.as_ref();
            trace.extend(from.map(|(_, action)| action.to_string()));
            at = from.map(|(parent, _)| *parent);
        }
        trace.reverse();
        trace
    }

    fn violation(&self, property: &str, why: String, at: Option<usize>) -> Box<Violation> {
        let (property, trace, states) = (property.to_owned(), self.trace(at), self.nodes.len());
        Box::new(Violation { property, why, trace, state: String::new(), states })
    }

    fn finish(self) -> Result<Explored, Box<Violation>> {
        let never = self.sometimes.iter().filter(|sought| sought.witness.is_none());
        let never: Vec<_> = never.map(|sought| sought.name).collect();
        if !never.is_empty() {
            let why = format!("nowhere: {}", never.join("; "));
            return Err(self.violation("what must be possible happens somewhere", why, None));
        }
        Ok(Explored {
            states: self.nodes.len(),
            transitions: self.transitions,
            depth: self.nodes.last().map_or(0, |node| node.depth),
            ends: self.ends,
            complete: self.complete,
            witnesses: self
                .sometimes
                .into_iter()
                .map(|sought| (sought.name, sought.witness.unwrap_or_default()))
                .collect(),
        })
    }
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("something else than a text")
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.property, self.why)?;
        writeln!(f, "found among {} states, after {} steps:", self.states, self.trace.len())?;
        for (index, action) in self.trace.iter().enumerate() {
            writeln!(f, "{:4}. {action}", index + 1)?;
        }
        f.write_str(&self.state)
    }
}

impl std::error::Error for Violation {}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, transitions, depth, ends, .. } = self;
        let extent = if self.complete { "and no more" } else { "and more behind" };
        writeln!(
            f,
            "{states} states, {transitions} transitions, {depth} deep {extent}, {ends} ends"
        )?;
        for (name, trace) in &self.witnesses {
            writeln!(f, "{name}, after {} steps:", trace.len())?;
            for (index, action) in trace.iter().enumerate() {
                writeln!(f, "{:4}. {action}", index + 1)?;
            }
        }
        Ok(())
    }
}
